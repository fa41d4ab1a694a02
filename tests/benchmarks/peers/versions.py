"""What the peers are made of, of which this project needs nothing else."""

PYTHON = (
    "fastapi==0.165.0",
    "starlette==1.10.0",
    "pydantic==2.14.4",
    "uvicorn==0.54.0",
    "uvloop==0.23.0",  # uvicorn's event loop, if it is there
    "httptools==0.9.0",  # and its parser
)
NODE = ("express@5.3.0",)
