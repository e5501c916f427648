"""Makes a v1 torrent of FILE with libtorrent: FILE PIECE_SIZE TORRENT. Its Python binding has one hashing thread."""

import os
import sys

import libtorrent

path, piece_size, torrent = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if hasattr(libtorrent, "list_files"):
    files = libtorrent.list_files(path)
else:  # before 2.1
    files = libtorrent.file_storage()
    libtorrent.add_files(files, path)
creator = libtorrent.create_torrent(files, piece_size, libtorrent.create_torrent.v1_only)
libtorrent.set_piece_hashes(creator, os.path.dirname(path))
with open(torrent, "wb") as file:
    file.write(libtorrent.bencode(creator.generate()))
