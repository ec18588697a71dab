"""What is kept: conversations, usage, audit and sessions.

Each noun has an interface in the module of its name; `store/sqlite/` implements all four, and
`store/cosmos/` those that instances share. Every implementation passes the contract suites of
`secure_openai.testing`.
"""
