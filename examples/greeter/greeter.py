#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Greets people, and leaves the words to another module."""

from dataclasses import dataclass

import ftl


@dataclass
class GreetRequest:
    name: str


@dataclass
class GreetResponse:
    message: str


@ftl.verb
def greet(request: GreetRequest) -> GreetResponse:
    """Greets by way of echo."""
    answer = ftl.call("echo.echo", {"name": request.name})
    return GreetResponse(message=answer["message"])


if __name__ == "__main__":
    ftl.main()
