"""An upload of 4 GB in flat memory, and clients beside it. Long and large: only with MMDM_FULL=1 (./check --full)."""
import hashlib
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import page  # noqa: E402

SIZE = int(os.environ.get("MMDM_UPLOAD_BYTES", 4 << 30))


def main():
    if not os.environ.get("MMDM_FULL"):
        print("skipped: ./check --full does this")
        return 77
    home = page.home()
    if shutil.disk_usage(home).free < SIZE + (3 << 30):
        print("skipped: not enough room on the disk")
        return 77
    server = page.Server(home).open()
    piece = os.urandom(8 << 20)
    first = b"\0\0\0\x18ftypmp42" + piece[12:]
    value = server.call("POST", "/api/uploads", {"name": "long.mp4", "size": SIZE, "modified": 0})[1]
    start, most, before = time.time(), 0, server.memory()
    whole = hashlib.sha256()
    for offset in range(0, SIZE, len(piece)):
        data = (first if offset == 0 else piece)[:SIZE - offset]
        whole.update(data)
        status, reply = server.piece(value["id"], offset, data)
        assert status == 200, (status, reply)
        most = max(most, server.memory())
        if offset % (1 << 30) == 0:
            assert server.ask("GET", "/api/jobs")[0] == 200
    print(f"{SIZE >> 20} MiB in {time.time() - start:.0f} s; memory {before:.0f} MiB before, at most {most:.0f} MiB")
    assert reply["received"] == SIZE and reply["state"] == "refused", reply  # random bytes are no recording
    server.kill()
    shutil.rmtree(home)
    if most - before > 64:
        print("FAILED: memory grows with the upload")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
