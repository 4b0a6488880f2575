"""What the public feeds say of prices, limits and retirements, made into listings. Pure: nothing is fetched here.

`python -m isthmus.catalog.feeds` makes the snapshot that ships; `isthmus catalog update` makes another one from what
it downloads. Both go the same way: the published form of each feed is read into typed values (`genai_prices`,
`models_dev`, `deprecations`) and joined claim by claim (`extract`), so that where feeds disagree both readings stay.
"""
