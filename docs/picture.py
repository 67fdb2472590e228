"""Draws the README's picture from a running server: python docs/picture.py [HOST PORT]; needs pymysql and matplotlib."""

import pathlib
import sys

import matplotlib
import pymysql

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "almanac", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10})
import matplotlib.pyplot as plt

host, port = (sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 2 else ("127.0.0.1", 3306)
with pymysql.connect(host=host, port=port, user="root", database="demo") as conn, conn.cursor() as cur:
    cur.execute("SELECT month, row_type, actual, forecast, lower_bound, upper_bound FROM FORECAST('airline', 'month', 'passengers', 24, 'history=all')")
    rows = cur.fetchall()

past = [r for r in rows if r[1] == "history"]
future = [r for r in rows if r[1] == "forecast"]
fig, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
ax.plot([r[0] for r in past], [r[2] for r in past], color="#33415c", linewidth=1.3, label="actual")
ax.fill_between([r[0] for r in future], [r[4] for r in future], [r[5] for r in future], color="#f4a261", alpha=0.35, linewidth=0, label="95 % prediction interval")
ax.plot([r[0] for r in future], [r[3] for r in future], color="#d1495b", linewidth=1.6, label="forecast")
ax.set_ylabel("passengers, thousands")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="upper left")
out = pathlib.Path(__file__).with_name("airline.svg")
fig.savefig(out, metadata={"Date": None})
print(out)
