"""Follows a slot by pgoutput and prints each row of user_signals as a line of JSON. Usage: follow.py PORT SLOT"""

import json
import struct
import sys

import psycopg2
from psycopg2.extras import LogicalReplicationConnection

port, slot = sys.argv[1:]
# Name and columns of each table, by its number.
tables = {}


def text(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def relation(data):
    _, at = text(data, 5)
    table, at = text(data, at)
    (count,) = struct.unpack_from("!h", data, at + 1)
    at += 3
    columns = []
    for _ in range(count):
        name, at = text(data, at + 1)
        columns.append(name)
        at += 8
    tables[data[1:5]] = table, columns


def row(data, columns):
    values, at = [], 8
    for _ in columns:
        if data[at : at + 1] == b"n":
            values.append(None)
            at += 1
        else:
            (length,) = struct.unpack_from("!i", data, at + 1)
            values.append(data[at + 5 : at + 5 + length].decode())
            at += 5 + length
    return dict(zip(columns, values))


def receive(message):
    data = message.payload
    if data[:1] == b"R":
        relation(data)
    elif data[:1] in (b"I", b"U"):
        table, columns = tables[data[1:5]]
        if table == "user_signals":
            print(json.dumps(row(data, columns)))
    elif data[:1] == b"C":
        # The server may forget only what is safely written here.
        sys.stdout.flush()
        message.cursor.send_feedback(flush_lsn=struct.unpack_from("!q", data, 10)[0])


connection = psycopg2.connect(
    host="127.0.0.1", port=port, user="postgres", dbname="postgres", connection_factory=LogicalReplicationConnection
)
cursor = connection.cursor()
cursor.start_replication(slot, options={"proto_version": "1", "publication_names": "signal_hub"}, status_interval=1)
cursor.consume_stream(receive)
