"""The server's half of a backup, and the life of every job: asked, admitted, handed out, received, closed.

Read in the workflow's order: `request`, `admission`, `kind`, `dispatch`, `receive`, `progress`, `report`;
then what cuts it short: `cancel`, `abort`, `waiting`. A restore is a job like any other and closes through here too.
`state` is the only module that changes a job's state.
"""
