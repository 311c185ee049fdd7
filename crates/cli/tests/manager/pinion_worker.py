"""Stands in for a worker: speaks the reins, serves no request.

What the script (named by TEST_SCRIPT) holds says what loading it does: `ok`, `fail`, `die`, `hang`.
"""

import array, mmap, os, socket, struct, sys, time

# The version, and what stands for the build, which the first message tells.
VERSION = b"\x01"
reins = socket.socket(fileno=3)
page = mmap.mmap(4, 0)
script = os.environ["TEST_SCRIPT"].encode()


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(value):
    return varint(len(value)) + value


def read_varint(data):
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number


def say(variant, payload):
    reins.send(VERSION + varint(variant) + payload)


def receive():
    data, ancillary, _, _ = reins.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    descriptors = array.array("i")
    for _, _, payload in ancillary:
        descriptors.frombytes(payload)
    return data, list(descriptors)


def load():
    mtime = os.stat(script).st_mtime_ns // 1000
    with open(script) as file:
        what = file.read().strip()
    print("loading:", what, flush=True)
    if what == "fail":
        say(1, text(script) + varint(mtime) + text(b"Traceback\nValueError: broken") + b"\0")
        sys.exit(1)
    if what == "die":
        print("Fatal Python error: made up", flush=True)
        os._exit(3)
    if what == "hang":
        time.sleep(1000)
    say(0, text(b"3.0.0") + varint(1) + text(script) + varint(mtime))


kept = []


def serve(number, descriptor):
    connection = socket.socket(fileno=descriptor)
    kept.append(connection)
    # On the status page, thread 0 has begun request 1 of this connection.
    page[16:32] = b"GET /made-up\0\0\0\0"
    page[8:16] = struct.pack("<Q", number << 32 | 1)
    page[0:8] = struct.pack("<Q", time.monotonic_ns())
    header = struct.pack("<IBBHI", 8, 1, 16, 0, 0)
    connection.send(header + struct.pack("<II", os.getpid(), number))


start = receive()[0]
assert start[:1] == VERSION and start[5:6] == b"\0", "the first rein is Start"
VERSION = start[:5]
load()
while True:
    data, descriptors = receive()
    data = data[len(VERSION):]
    if not data or data[0] == 2:
        sys.exit(0)
    if data[0] == 1:
        serve(read_varint(data[1:]), descriptors[0])
    if data[0] == 3:
        print("stacks of", os.getpid(), flush=True)
