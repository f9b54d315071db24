"""The page of `mic demo`: camera or file, people and what their faces show, on this machine alone.

    mic demo                      # prints an address on 127.0.0.1 and opens it

Everything runs in this process and in the browser beside it. The server listens on the loopback
interface only, answers only requests that name it by that address and know the random token of
its URL, and keeps no picture longer than it takes to look at it.
"""

from mic.demo.server import DemoServer

__all__ = ["DemoServer"]
