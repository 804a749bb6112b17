"""The proof that an order is placed at most once (contract.md §6, docs/decisions/orders.md).

The real Bot, the simulated exchange and an embedded Redis under one seeded scheduler: no socket, no real time,
no thread that runs freely. Every step that leaves the bot's process can meet a fault; after every step and at
the end of a day the invariants are held against what the exchange and Redis really hold.

    timeline        simulated time, and actors of which exactly one runs at a time
    faults          what can go wrong at a step, and who decides it: nobody, a script, a seed
    redis_side      Redis with its last writes undoable, and the bot's connection to it
    exchange_side   the exchange behind the bot's own HTTP session, and answers that get lost
    world           one of each, the processes that run the bot, and what happens at a step
    invariants      what must hold after every step, and at the end
    days            what a seed plays: settings, prices, deliveries, retries, faults
    planted         bugs that the simulation must find

`python -m tests.simulation SEED` replays a seed and tells every step; `make soak SEEDS=…` plays many.
"""
