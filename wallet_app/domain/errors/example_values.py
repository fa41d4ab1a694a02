"""Ids and times of the API description's examples, which belong together."""

SOURCE_ID = "6f0c7f0e-6a52-4c55-9a0c-3d5f4f0b7a11"
USER_ID = "0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01"
TARGET_ID = "b1d5ac1e-2f4b-4f0e-8a6e-0f6d1c2b3a44"
TRANSACTION_ID = "d2a4c6e8-1b3d-4f5a-8c7e-9b0a1c2d3e4f"
QUOTE_ID = "c4f8b2d6-3e7a-4c1b-8d5f-6a9e0b2c4d71"
PAYMENT_ID = "8b5e2d9c-4f1a-4c7e-b3d6-0a9c8e7f6d52"
WEBHOOK_ID = "3c9a7e5d-2b8f-4d61-9e0c-b7f4a1d2c386"
DELIVERY_ID = "f9e2c7a4-1d6b-4b3f-8e5c-2a7d9c0b4e63"
APPROVAL_ID = "a7c3e1f9-5b2d-4e8a-9c6f-1d0b3a5c7e92"
MOVED_AT = 1_768_039_320_000_000_000
"""2026-01-10 10:02 UTC, in nanoseconds since 1970."""

DAY_ENDS = 1_768_089_600_000_000_000
"""The midnight after it."""
