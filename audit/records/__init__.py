"""The words of an audit as pure pydantic records; imports nothing of ours."""

from __future__ import annotations
