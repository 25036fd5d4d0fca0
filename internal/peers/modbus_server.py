#!/usr/bin/python3
"""A Modbus server for tests: pymodbus with some units of known content.

usage: modbus_server.py tcp|rtutcp|asciitcp HOST PORT [--units N] [--dead U,U]
       modbus_server.py rtu|ascii TTY BAUD            [--units N] [--dead U,U]

tcp is Modbus TCP, rtutcp and asciitcp are RTU and ASCII frames on a TCP
connection, rtu is a serial line, ascii too (8N1: a pseudo terminal has no parity). PORT 0 takes a free one. The first line on stdout is
"listening PORT" (the name of the tty for rtu). It ends when stdin closes.

Units are numbered 1..N (default 3); those named as dead never answer. All
addresses are zero based. Unit u holds:

  coil 0..31        i + u is odd
  di   0..31        i is a multiple of 3
  ir   0..99        2000*u + i
  hr   0..9         1000*u + i
  hr   10           0x8009 (bits 0, 3 and 15)
  hr   20,22,24,26  float32 u + 0.1 as ABCD, BADC, CDAB, DCBA
  hr   30           int32   -123456 * u
  hr   32           uint32  4000000000 + u
  hr   34           int64   -12345678901234 * u
  hr   38           uint64  18000000000000000000 + u
  hr   42           float64 u + 0.1
  hr   50..57       "UNIT u" and zero bytes
  hr   60           BCD 1234; hr 61..62 BCD 12345678
  hr   70           int16   -u
  hr   100          a counter: one more at every read that covers it
  hr   102..103     the same in 32 bits, ABCD
  hr   200..299     zero, for writing; the rest up to 299 is zero too

Beyond coil/di 31, ir 99 and hr 299 it answers exception 2, and so it does to
reads of holding registers that touch one of --holes or are longer than --most.
"""
import argparse
import asyncio
import os
import struct
import sys
import threading

from pymodbus.datastore import (
    ModbusSequentialDataBlock,
    ModbusServerContext,
    ModbusSlaveContext,
)
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer, ModbusSocketFramer


def words(fmt, value, order=None):
    """Registers of a value; order permutes its four bytes (ABCD...)."""
    raw = struct.pack(">" + fmt, value)
    if order:
        raw = bytes(raw["ABCD".index(c)] for c in order)
    return list(struct.unpack(">%dH" % (len(raw) // 2), raw))


class Holding(ModbusSequentialDataBlock):
    """Holding registers with two counters of reads."""

    holes = ()
    most = 125

    def __init__(self, unit):
        regs = [0] * 300
        put = lambda at, values: regs.__setitem__(slice(at, at + len(values)), values)
        put(0, [1000 * unit + i for i in range(10)])
        put(10, [0x8009])
        for i, order in enumerate(("ABCD", "BADC", "CDAB", "DCBA")):
            put(20 + 2 * i, words("f", unit + 0.1, order))
        put(30, words("i", -123456 * unit))
        put(32, words("I", 4000000000 + unit))
        put(34, words("q", -12345678901234 * unit))
        put(38, words("Q", 18000000000000000000 + unit))
        put(42, words("d", unit + 0.1))
        text = ("UNIT %d" % unit).encode().ljust(16, b"\0")
        put(50, list(struct.unpack(">8H", text)))
        put(60, [0x1234, 0x1234, 0x5678])
        put(70, [-unit & 0xFFFF])
        super().__init__(0, regs)
        self.reads16 = self.reads32 = 0

    def validate(self, address, count=1):
        if count > self.most or any(address <= h < address + count for h in self.holes):
            return False
        return super().validate(address, count)

    def getValues(self, address, count=1):
        if address <= 100 < address + count:
            self.reads16 += 1
            self.values[100] = self.reads16 & 0xFFFF
        if address <= 102 and 103 < address + count:
            self.reads32 += 1
            self.values[102:104] = words("I", self.reads32 & 0xFFFFFFFF)
        return super().getValues(address, count)


def unit_context(unit):
    """The four tables of one unit."""
    return ModbusSlaveContext(
        co=ModbusSequentialDataBlock(0, [(i + unit) % 2 == 1 for i in range(32)]),
        di=ModbusSequentialDataBlock(0, [i % 3 == 0 for i in range(32)]),
        ir=ModbusSequentialDataBlock(0, [2000 * unit + i for i in range(100)]),
        hr=Holding(unit),
        zero_mode=True,
    )


def arguments():
    """The command line."""
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("mode", choices=("tcp", "rtutcp", "asciitcp", "rtu", "ascii"))
    p.add_argument("where", help="host or tty")
    p.add_argument("number", type=int, help="port or baud")
    p.add_argument("--units", type=int, default=3)
    p.add_argument("--holes", default="", help="holding registers that no unit has, with commas")
    p.add_argument("--most", type=int, default=125, help="longest read of holding registers")
    p.add_argument("--dead", default="", help="unit ids that never answer, with commas")
    return p.parse_args()


async def serve(args):
    """Serve until the process ends."""
    Holding.holes = tuple(int(h) for h in args.holes.split(",") if h)
    Holding.most = args.most
    dead = {int(u) for u in args.dead.split(",") if u}
    units = {u: unit_context(u) for u in range(1, args.units + 1) if u not in dead}
    context = ModbusServerContext(slaves=units, single=False)
    if args.mode in ("rtu", "ascii"):
        rtu = args.mode == "rtu"
        server = ModbusSerialServer(
            context, ModbusRtuFramer if rtu else ModbusAsciiFramer, port=args.where, baudrate=args.number,
            stopbits=1, bytesize=8, parity="N", ignore_missing_slaves=True,
        )
        await server.start()
        print("listening", args.where, flush=True)
        await server.serve_forever()
        return
    framer = {"tcp": ModbusSocketFramer, "rtutcp": ModbusRtuFramer, "asciitcp": ModbusAsciiFramer}[args.mode]
    server = ModbusTcpServer(
        context, framer, address=(args.where, args.number),
        allow_reuse_address=True, ignore_missing_slaves=True,
    )
    task = asyncio.ensure_future(server.serve_forever())
    await asyncio.wait({task, server.serving}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    print("listening", server.server.sockets[0].getsockname()[1], flush=True)
    await task


def end_with_stdin():
    """End the process when the parent closes our stdin, or dies."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_stdin, daemon=True).start()
    asyncio.run(serve(arguments()))
