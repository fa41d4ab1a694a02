"""What a user would write instead: a wallet in memory in Flask, FastAPI and Express.

Each has the service's JSON for `POST /wallet/create`, `/wallet/add` and
`/wallet/transfer`, and its checks: the shape (400), the wallets (404), that they are
two, and the funds. One lock guards all, and each movement is recorded for its wallets.
"""
