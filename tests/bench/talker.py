"""Runs inside a machine: `listen` accepts connections and closes them; ADDRESS COUNT opens so many, one after another."""
import socket
import sys
import time

PORT = 5300


def main() -> None:
    if sys.argv[1] == "listen":
        with socket.create_server(("0.0.0.0", PORT), backlog=512) as listener:
            print("ready", flush=True)
            while True:
                listener.accept()[0].close()
    began = time.monotonic()
    for _ in range(int(sys.argv[2])):
        with socket.create_connection((sys.argv[1], PORT), timeout=10) as connection:
            connection.recv(1)
    print(int(sys.argv[2]) / (time.monotonic() - began))


if __name__ == "__main__":
    main()
