"""Runs inside a machine: sends one frame every millisecond until it is answered, then says when, and ends."""
import select
import socket
import sys
import time


def main() -> None:
    frame, mac, patience = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2]), float(sys.argv[3])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
        wire.bind(("eth0", 0x0800))
        print("ready", flush=True)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            wire.send(frame)
            if select.select([wire], [], [], 0.001)[0]:
                got = wire.recv(2048)
                if got[:6] == mac and got[23] == 1 and got[34] == 0:          # an echo reply for us
                    print(time.monotonic(), flush=True)
                    return
    print("none", flush=True)


if __name__ == "__main__":
    main()
