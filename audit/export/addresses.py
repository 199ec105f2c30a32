"""The web address of a source, where it has one: packages and repositories have pages too."""

from __future__ import annotations


def web_address(url: str) -> str | None:
    """A web address for a source; None where it has none. Only http and https get through."""
    if url.startswith(("https://", "http://")):
        return url
    scheme, _, rest = url.partition(":")
    name, _, path = rest.partition(" ")
    if scheme == "pypi" and "==" in name:
        package, _, version = name.partition("==")
        return f"https://pypi.org/project/{package}/{version}/"
    if scheme == "github" and "/" in name:
        path, _, commit = path.partition("@")
        return f"https://github.com/{name}/blob/{commit or 'HEAD'}/{path}"
    return None
