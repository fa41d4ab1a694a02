"""A certificate for receiver.example, and a system that trusts it."""

from __future__ import annotations

from pathlib import Path

import pytest

# Signed by itself, from 2000 to 2100, and of no other use.
KEY = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgui/wCm+Kdz3QXfAG
dX/31xyo/NkYBt12XBF3mR6oGvWhRANCAARvJ5Dj/HsJpMRSf0hBlyKU+1h6COvc
9D2gi1xp0m1Wus7HLQ5JFCQbAjY0UIpNljXPi6jhFZeLXmDdRCKpr5/m
-----END PRIVATE KEY-----
"""
CERTIFICATE = """
-----BEGIN CERTIFICATE-----
MIIBmTCCAT+gAwIBAgIUO1MnOzaA39x8z3yCqBh4dUg1luwwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQcmVjZWl2ZXIuZXhhbXBsZTAgFw0wMDAxMDEwMDAwMDBaGA8y
MTAwMDEwMTAwMDAwMFowGzEZMBcGA1UEAwwQcmVjZWl2ZXIuZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABG8nkOP8ewmkxFJ/SEGXIpT7WHoI69z0PaCL
XGnSbVa6zsctDkkUJBsCNjRQik2WNc+LqOEVl4teYN1EIqmvn+ajXzBdMBsGA1Ud
EQQUMBKCEHJlY2VpdmVyLmV4YW1wbGUwHQYDVR0OBBYEFAe2RcCkLFhF6KZmfESV
Y/8rNhBRMA4GA1UdDwEB/wQEAwIChDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49
BAMCA0gAMEUCIQCRtsbnBQr0Xb69My+e1mdpPAx329ay9BH/uMWYwrEQ2wIgGLlL
0iOqm6XLFhAncX1pEipEe5sU5jyj3z8gyzBCDP0=
-----END CERTIFICATE-----
"""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pem"
    path.write_text(KEY + CERTIFICATE)
    return path


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the system trust the certificate, and no other."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate
