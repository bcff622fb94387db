"""The pictures of a catalogue, fetched from their addresses into a folder, or only checked.

    download(catalogue, output, options)        run.py: all of it

`wanted` reads the addresses out of a catalogue, `ledger` remembers what became of each, `lanes` asks host by
host and politely, `asking` is one question over HTTP, `checkers` look at the bytes in processes that may die
of them, `store` keeps files by their content, `outcome` writes the index and the report, and `shards` and
`publish` pack what is there for others.
"""
