"""The server: connections and requests under gunicorn. It knows nothing of wallets."""
