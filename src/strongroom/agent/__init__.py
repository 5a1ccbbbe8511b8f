"""The program on a file server: it dials out, carries out orders, and reports."""
