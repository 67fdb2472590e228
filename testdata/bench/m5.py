"""Measures Almanac on a store of the M5 data, through its real binary and real clients.

    make build && python testdata/bench/m5.py [--store CA_1] [--shared ../shared] [--json out.json]

Needs the benchmark data (shared/data/m5), the MariaDB client and the Python packages of testdata/clients/requirements.txt. Prints one
line a figure: what, value, the bound it must keep. Exits with 1 if a bound is missed.
"""

import argparse
import hashlib
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

import numpy as np
import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parents[2]
ap = argparse.ArgumentParser()
ap.add_argument("--store", default="CA_1")
ap.add_argument("--shared", default=os.environ.get("ALMANAC_SHARED", str(ROOT.parent / "shared")))
ap.add_argument("--binary", default=str(ROOT / "bin" / "almanac"))
ap.add_argument("--json")
args = ap.parse_args()
m5 = pathlib.Path(args.shared) / "data" / "m5"
work = pathlib.Path(tempfile.mkdtemp(prefix="almanac-m5-"))
data = work / "data"
results, failed = [], []


def report(what, value, bound=None, ok=True, unit=""):
    results.append({"what": what, "value": value, "unit": unit, "bound": bound, "ok": bool(ok)})
    if not ok:
        failed.append(what)
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    print(f"{'ok  ' if ok else 'MISS'} {what}: {text} {unit}" + (f"   (bound: {bound})" if bound else ""), flush=True)


class Server:
    """A server on the data directory; `with` starts and stops it."""

    def __init__(self, **env):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.env = {**os.environ, **env}

    def __enter__(self):
        start = time.monotonic()
        self.log = open(work / "server.log", "ab")
        self.process = subprocess.Popen([args.binary, "serve", "--data-dir", str(data), "--listen", f"127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log, env=self.env)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"the server ended; see {work}/server.log")
                time.sleep(0.01)
        self.opened = time.monotonic() - start
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def peak(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024

    def sql(self, statement, database="m5"):
        """Runs a statement by MariaDB's client; gives its output and its seconds."""
        start = time.monotonic()
        r = subprocess.run(["mariadb", "-h", "127.0.0.1", "-P", str(self.port), "-u", "root", "--skip-ssl", "-B", "-N", "-D", database, "-e", statement], capture_output=True, text=True, env=os.environ)
        if r.returncode:
            sys.exit(f"{statement}\n{r.stderr}")
        return r.stdout, time.monotonic() - start


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


try:
    # 1. Import, restart.
    train = m5 / f"{args.store}_train.csv.gz"
    start = time.monotonic()
    subprocess.run([args.binary, "import", str(train), "--table", "m5.sales", "--create", "--primary-key", "unique_id,ds", "--data-dir", str(data)], check=True)
    seconds = time.monotonic() - start
    report("import, with finding types", seconds, "< 30 s", seconds < 30, "s")
    report("data directory", sum(f.stat().st_size for f in data.rglob("*") if f.is_file()) / 2**20, unit="MiB")

    history = pd.read_csv(train, parse_dates=["ds"])
    with Server() as s:
        out, _ = s.sql("SELECT COUNT(*), SUM(y) FROM sales")
        n, total = out.split()
        report("open after a restart", s.opened, "< 3 s", s.opened < 3, "s")
        report("rows after a restart", int(n), str(len(history)), int(n) == len(history) and int(float(total)) == int(history.y.sum()))

        # 2. A forecast of every series, into a table, by MariaDB's client.
        series = history.unique_id.nunique()
        _, seconds = s.sql("CREATE TABLE fc AS SELECT * FROM FORECAST('sales','ds','y',28,'by=unique_id')")
        report("CREATE TABLE … FORECAST of every series", seconds, "< 120 s", seconds < 120, "s")
        out, _ = s.sql("SELECT COUNT(*) FROM fc")
        report("rows forecast", int(out), str(28 * series), int(out) == 28 * series)
        report("peak memory of the server", s.peak(), "< 2048 MiB", s.peak() < 2048, "MiB")
        dump = "SELECT * FROM {} ORDER BY unique_id, ds"
        first, _ = s.sql(dump.format("fc"))
        rows = [line.split("\t") for line in first.splitlines()]
        header, _ = s.sql("SELECT COLUMN_NAME FROM information_schema.columns WHERE table_schema='m5' AND table_name='fc' ORDER BY ordinal_position")
        fc = pd.DataFrame(rows, columns=header.split())
        fc = fc[["unique_id", "ds", "forecast", "lower_bound", "upper_bound"]].astype({"forecast": float, "lower_bound": float, "upper_bound": float})
        fc["ds"] = pd.to_datetime(fc.ds)

    test = pd.read_csv(m5 / f"{args.store}_test.csv.gz", parse_dates=["ds"])[["unique_id", "ds", "y"]]
    joined = test.merge(fc, on=["unique_id", "ds"], how="left")
    if joined.forecast.isna().any():
        sys.exit("some series have no forecast")
    scale = history.sort_values(["unique_id", "ds"]).groupby("unique_id").y.apply(lambda v: np.mean(np.diff(v) ** 2))
    mse = ((joined.y - joined.forecast) ** 2).groupby(joined.unique_id).mean()
    wape = 100 * (joined.y - joined.forecast).abs().sum() / joined.y.sum()
    rmsse = float(np.sqrt(mse / scale).mean())
    base = {}
    for line in open(pathlib.Path(args.shared) / "baselines" / "m5_store_baselines.jsonl"):
        b = json.loads(line)
        if b["split"] == "open" and b["store"] == args.store:
            base[b["method"]] = b
    sn = base["snaive7"]
    report("WAPE on the test window", wape, f"< {sn['wape']:.2f} (snaive)", wape < sn["wape"], "%")
    report("RMSSE on the test window", rmsse, f"< {sn['item_unweighted_rmsse']:.4f} (snaive)", rmsse < sn["item_unweighted_rmsse"])
    report("coverage of the 95 % interval", 100 * ((joined.y >= joined.lower_bound - 1e-9) & (joined.y <= joined.upper_bound + 1e-9)).mean(), unit="%")

    # 3. The same bits, also on one core.
    with Server(GOMAXPROCS="1") as s:
        _, seconds = s.sql("CREATE TABLE fc1 AS SELECT * FROM FORECAST('sales','ds','y',28,'by=unique_id')")
        report("the same with GOMAXPROCS=1", seconds, unit="s")
        again, _ = s.sql(dump.format("fc1"))
        report("identical with GOMAXPROCS=1", digest(again)[:16], digest(first)[:16], again == first)
    with Server() as s:
        s.sql("CREATE TABLE fc2 AS SELECT * FROM FORECAST('sales','ds','y',28,'by=unique_id')")
        again, _ = s.sql(dump.format("fc2"))
        report("identical when run again", digest(again)[:16], digest(first)[:16], again == first)

        # 4. The other functions over every series.
        out, seconds = s.sql("SELECT COUNT(*), COUNT(trend) FROM DECOMPOSE('sales','ds','y','by=unique_id')")
        report(f"DECOMPOSE of {series} series", seconds, "< 60 s", seconds < 60, "s")
        report("rows decomposed", int(out.split()[0]), f">= {len(history)}", int(out.split()[0]) >= len(history))
        out, seconds = s.sql("SELECT cluster, COUNT(*) FROM CLUSTER_TRENDS('sales','ds','y',6,'by=unique_id') GROUP BY cluster ORDER BY cluster")
        report(f"CLUSTER_TRENDS of {series} series", seconds, "< 60 s", seconds < 60, "s")
        sizes = {line.split()[0]: int(line.split()[1]) for line in out.splitlines()}
        clusters = [k for k in sizes if k != "NULL"]
        report("cluster sizes (NULL: too short for the window)", ", ".join(f"{k}: {v}" for k, v in sizes.items()), f"6 clusters, {series} series", len(clusters) == 6 and sum(sizes.values()) == series)

        # 5. R's numbers.
        reference = json.load(open(pathlib.Path(args.shared) / "reference" / "AirPassengers.json"))
        s.sql("CREATE DATABASE IF NOT EXISTS classics", "information_schema")
        s.sql("CREATE TABLE airline (month DATE PRIMARY KEY, passengers INT)", "classics")
        months = pd.date_range("1949-01-01", periods=144, freq="MS").strftime("%Y-%m-%d")
        s.sql("INSERT INTO airline VALUES " + ",".join(f"('{d}',{int(v)})" for d, v in zip(months, reference["x"])), "classics")
        for model, key, tolerance in (("arima", "auto.arima", 1e-3), ("ets", "ets", 1e-2)):
            out, _ = s.sql(f"SELECT forecast, lower_bound, upper_bound, model FROM FORECAST('airline','month','passengers',24,'model={model}')", "classics")
            rows = [line.split("\t") for line in out.splitlines()]
            want = reference[key]["forecast"]
            worst = max(abs(float(r[0]) / w - 1) for r, w in zip(rows, want["mean"]))
            report(f"{model} against R ({rows[0][3]}): largest relative difference of the mean", float(worst), f"<= {tolerance}", worst <= tolerance)
            bounds = max(max(abs(float(r[1]) - lo), abs(float(r[2]) - hi)) / m for r, lo, hi, m in zip(rows, want["lower95"], want["upper95"], want["mean"]))
            report(f"{model} against R: largest difference of the 95 % bounds, relative to the mean", float(bounds), f"<= {5 * tolerance}", bounds <= 5 * tolerance)
finally:
    shutil.rmtree(work, ignore_errors=True)
    if args.json:
        json.dump(results, open(args.json, "w"), indent=1)

print(f"{len(results) - len(failed)} of {len(results)} kept" + (f"; missed: {', '.join(failed)}" if failed else ""))
sys.exit(1 if failed else 0)
