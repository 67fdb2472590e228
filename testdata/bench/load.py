"""Compares loading a store of the M5 data: Almanac's LOAD DATA LOCAL, `almanac import`, and MariaDB's LOAD DATA LOCAL into InnoDB.

    make build && python testdata/bench/load.py [--store CA_1] [--shared ../shared] [--repeat 1] [--json out.json]

All three load the same file into the same table (primary key unique_id, ds) on this machine, one after the other. Needs the benchmark
data (shared/data/m5) and the mariadb client; without the mariadbd program its part is left out. Prints seconds, rows per second and bytes
on disk, and exits with 1 if Almanac is not 3 times as fast as MariaDB, or needs more than a quarter of its disk space.
"""

import argparse
import gzip
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ap = argparse.ArgumentParser()
ap.add_argument("--store", default="CA_1")
ap.add_argument("--shared", default=os.environ.get("ALMANAC_SHARED", str(ROOT.parent / "shared")))
ap.add_argument("--binary", default=str(ROOT / "bin" / "almanac"))
ap.add_argument("--repeat", type=int, default=1, help="loads of each kind; the fastest counts")
ap.add_argument("--json")
args = ap.parse_args()
work = pathlib.Path(tempfile.mkdtemp(prefix="almanac-load-"))
client = shutil.which("mariadb") or shutil.which("mysql") or sys.exit("the mariadb client is missing")
results = []

TABLE = "CREATE TABLE {} (unique_id VARCHAR(40) NOT NULL, ds DATE NOT NULL, y DOUBLE, sell_price DOUBLE, PRIMARY KEY (unique_id, ds)) {}"
LOAD = "LOAD DATA LOCAL INFILE '{}' INTO TABLE {} FIELDS TERMINATED BY ',' LINES TERMINATED BY '\\n' IGNORE 1 LINES"
CHECK = "SELECT COUNT(*), ROUND(SUM(y)), ROUND(SUM(sell_price), 1), MIN(ds), MAX(ds) FROM {}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def size(folder):
    """Bytes that the files take on disk."""
    return sum(p.stat().st_blocks * 512 for p in folder.rglob("*") if p.is_file())


class Server:
    """A server process; `with` starts and stops it."""

    def __init__(self, command, port):
        self.command, self.port = command, port

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=open(work / "server.log", "ab"), stderr=subprocess.STDOUT)
        for _ in range(600):
            try:
                self.sql("SELECT 1")
                return self
            except subprocess.CalledProcessError:
                if self.process.poll() is not None:
                    sys.exit(f"{self.command[0]} ended; see {work}/server.log")
                time.sleep(0.1)
        sys.exit(f"{self.command[0]} does not answer")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(300)

    def sql(self, statement):
        base = [client, "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", "root", "--skip-ssl", "--local-infile=1", "-N", "-B"]
        return subprocess.run(base, input=statement, text=True, check=True, capture_output=True).stdout.strip()

    def peak(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024


def best(load):
    times = []
    for i in range(args.repeat):
        start = time.monotonic()
        load(i)
        times.append(time.monotonic() - start)
    return min(times)


def report(what, seconds, rows, disk, peak=None):
    results.append({"what": what, "seconds": seconds, "rows_per_second": rows / seconds, "bytes": disk, "peak_mib": peak})
    print(f"{what:38} {seconds:8.2f} s {rows / seconds:12,.0f} rows/s {disk / 1e6:9.1f} MB" + (f"   peak {peak:.0f} MiB" if peak else ""), flush=True)


def almanac(file):
    port, data = free_port(), work / "almanac"
    with Server([args.binary, "serve", "--data-dir", str(data), "--listen", f"127.0.0.1:{port}"], port) as s:
        s.sql("CREATE DATABASE m5")
        names = [f"m5.t{i}" for i in range(args.repeat)]
        for n in names:
            s.sql(TABLE.format(n, ""))
        seconds = best(lambda i: s.sql(LOAD.format(file, names[i])))
        sums = s.sql(CHECK.format(names[-1]))
        rows, peak = int(sums.split()[0]), s.peak()
    report("Almanac LOAD DATA LOCAL", seconds, rows, size(data) // args.repeat, peak)
    return seconds, size(data) // args.repeat, sums


def imported(file, rows, create):
    port, data = free_port(), work / f"import-{create}"
    if not create:
        with Server([args.binary, "serve", "--data-dir", str(data), "--listen", f"127.0.0.1:{port}"], port) as s:
            s.sql("CREATE DATABASE m5")
            for i in range(args.repeat):
                s.sql(TABLE.format(f"m5.t{i}", ""))
    options = ["--create", "--primary-key", "unique_id,ds"] if create else []

    def one(i):
        subprocess.run([args.binary, "import", str(file), "--data-dir", str(data), "--table", f"m5.t{i}", *options], check=True, capture_output=True)

    seconds = best(one)
    report("almanac import" + (" --create (reads it twice)" if create else ""), seconds, rows, size(data) // args.repeat)
    return seconds


def mariadb(file):
    program = shutil.which("mariadbd") or shutil.which("mysqld")
    if not program:
        print("mariadbd is not installed: no comparison")
        return None
    port, data = free_port(), work / "mariadb"
    install = [shutil.which("mariadb-install-db") or "mysql_install_db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
    subprocess.run(install + (["--user=root"] if os.geteuid() == 0 else []), check=True, capture_output=True)
    options = ["--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1", f"--socket={work}/m.sock", "--local-infile=1",
               "--innodb-buffer-pool-size=1G", "--innodb-flush-log-at-trx-commit=1", "--innodb-log-file-size=512M"]
    if os.geteuid() == 0:
        options.append("--user=root")
    with Server([program, *options], port) as s:
        version = s.sql("SELECT VERSION()")
        s.sql("CREATE DATABASE m5")
        names = [f"m5.t{i}" for i in range(args.repeat)]
        for n in names:
            s.sql(TABLE.format(n, "ENGINE=InnoDB"))
        seconds = best(lambda i: s.sql(LOAD.format(file, names[i])))
        sums = s.sql(CHECK.format(names[-1]))
        peak = s.peak()
    disk = sum(p.stat().st_blocks * 512 for p in (data / "m5").rglob("*.ibd")) // args.repeat
    report(f"MariaDB {version.split('-')[0]} LOAD DATA LOCAL, InnoDB", seconds, int(sums.split()[0]), disk, peak)
    return seconds, disk, sums


def values(row):
    """The cells of a row; numbers by value, since 3 and 3.0 are the same sum."""
    return [cell if "-" in cell else float(cell) for cell in row.split()]


def main():
    source = pathlib.Path(args.shared) / "data" / "m5" / f"{args.store}_train.csv.gz"
    if not source.exists():
        sys.exit(f"{source} is missing; pass --shared")
    file = work / "sales.csv"
    with gzip.open(source) as f, open(file, "wb") as out:
        shutil.copyfileobj(f, out)
    ok = True
    ours, disk, sums = almanac(file)
    import_seconds = imported(file, int(sums.split()[0]), create=False)
    imported(file, int(sums.split()[0]), create=True)
    theirs = mariadb(file)
    if theirs:
        other, other_disk, other_sums = theirs
        same = values(sums) == values(other_sums)
        for what, value, good in [("LOAD DATA is faster by", other / ours, other / ours >= 3), ("import is faster by", other / import_seconds, other / import_seconds >= 3),
                                  ("MariaDB's disk space, by Almanac's", other_disk / disk, other_disk / disk >= 4)]:
            print(f"{'ok  ' if good else 'MISS'} {what} {value:.1f}")
            ok = ok and good
        if not same:
            print(f"MISS the tables differ: {sums} and {other_sums}")
            ok = False
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1) + "\n")
    shutil.rmtree(work, ignore_errors=True)
    sys.exit(0 if ok else 1)


main()
