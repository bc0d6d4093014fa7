"""The HTTP interface on aiohttp. Handlers parse, call and shape; they decide nothing."""
