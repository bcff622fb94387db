"""A shop that does to a scraper all that shops do, and keeps the books; and a server of pictures like it.

    PYTHONPATH=src:tests python -m chaos_shop shop --products 10000
    PYTHONPATH=src:tests python -m chaos_shop pictures --pictures 10000

prints one line of JSON with `address` (of the shop), `control` (of its books) and `pid`, and answers until it
is terminated or asked to stop. Tests and benchmarks start it with `chaos_shop.process.running`.
"""
