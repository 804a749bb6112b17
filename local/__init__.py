"""The bundle on a laptop: simulated exchange, embedded Redis, schedule player."""
