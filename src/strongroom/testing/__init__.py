"""Doubles, test trees and real processes on the loopback: what tests, the demo and the benchmark stand on.

It ships with the package so that other projects can test against Strongroom with the same means.
Nothing in the product imports it.
"""
