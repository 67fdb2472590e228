"""PyMySQL, SQLAlchemy and pandas against a running server: python pandas_client.py HOST PORT.

Walks the README's Python example and what a notebook does: browse, read into a frame, write a frame, query with parameters.
Prints one line a check and exits with 1 at the first that fails.
"""

import datetime
import decimal
import sys

import pandas as pd
import pymysql
import sqlalchemy as sa

host, port = sys.argv[1], int(sys.argv[2])


def check(name, ok, got=""):
    print(("ok   " if ok else "FAIL ") + name, "" if ok else got, flush=True)
    if not ok:
        sys.exit(1)


# PyMySQL alone: types, parameters, errors.
conn = pymysql.connect(host=host, port=port, user="root", database="demo", autocommit=True)
with conn.cursor() as cur:
    cur.execute("SELECT sold_on, units, price, promo FROM sales WHERE store = %s AND sku = %s ORDER BY sold_on LIMIT 1", ("Bristol", "GIFTS-01"))
    sold_on, units, price, promo = cur.fetchone()
    check("pymysql: types", isinstance(sold_on, datetime.date) and isinstance(units, int) and isinstance(price, decimal.Decimal), (sold_on, units, price))
    cur.execute("SELECT step, forecast, lower_bound, upper_bound FROM FORECAST('airline', 'month', 'passengers', 12, 'model=ets')")
    rows = cur.fetchall()
    check("pymysql: forecast", len(rows) == 12 and all(lo < f < hi for _, f, lo, hi in rows), rows)
    try:
        cur.execute("SELECT * FROM FORECAST('airline', 'month', 'pasengers', 12)")
        check("pymysql: misspelt column", False, "no error")
    except pymysql.err.MySQLError as e:
        check("pymysql: misspelt column", "passengers" in str(e), e)
conn.close()

# SQLAlchemy: reflection, and a frame there and back.
engine = sa.create_engine(f"mysql+pymysql://root@{host}:{port}/demo")
inspector = sa.inspect(engine)
check("sqlalchemy: tables", {"sales", "airline"} <= set(inspector.get_table_names()), inspector.get_table_names())
columns = {c["name"]: str(c["type"]) for c in inspector.get_columns("sales")}
check("sqlalchemy: columns", columns.get("price") == "DECIMAL(8, 2)" and columns.get("sold_on") == "DATE", columns)
check("sqlalchemy: primary key", inspector.get_pk_constraint("sales")["constrained_columns"] == ["store", "sku", "sold_on"])

frame = pd.read_sql("SELECT * FROM FORECAST('airline', 'month', 'passengers', 24, 'history=all')", engine)
check("pandas: history and forecast in one frame", len(frame) == 144 + 24 and frame["actual"].notna().sum() == 144, frame.shape)

mine = pd.DataFrame({"ds": pd.date_range("2025-01-01", periods=60, freq="D"), "y": [10 + i % 7 for i in range(60)]})
with engine.begin() as tx:
    tx.execute(sa.text("CREATE DATABASE IF NOT EXISTS frames"))
mine.to_sql("mine", engine, schema="frames", if_exists="replace", index=False)
back = pd.read_sql("SELECT * FROM frames.mine ORDER BY ds", engine, parse_dates=["ds"])
check("pandas: a frame there and back", back["y"].tolist() == mine["y"].tolist() and (back["ds"] == mine["ds"]).all(), back.head())
future = pd.read_sql(sa.text("SELECT ds, forecast FROM FORECAST('frames.mine', 'ds', 'y', :h, 'model=snaive')"), engine, params={"h": 7})
check("pandas: horizon as a parameter", len(future) == 7 and abs(future["forecast"][0] - mine["y"][53]) < 1e-9, future)
with engine.begin() as tx:
    tx.execute(sa.text("DROP DATABASE frames"))
engine.dispose()
