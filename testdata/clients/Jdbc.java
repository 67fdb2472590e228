import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;

/**
 * A JDBC driver against a running server: java -cp driver.jar Jdbc.java URL. Does what a BI tool does: reads the metadata, runs prepared statements in the
 * binary protocol, wraps a function in a sub-select. Prints one line a check and exits with 1 at the first that fails.
 */
public class Jdbc {
  public static void main(String[] args) throws Exception {
    try (Connection c = DriverManager.getConnection(args[0])) {
      DatabaseMetaData meta = c.getMetaData();
      check("driver " + meta.getDriverName() + " " + meta.getDriverVersion(), !meta.getDatabaseProductVersion().isEmpty());
      try (ResultSet r = meta.getColumns("demo", null, "sales", "price")) {
        check("metadata: price is DECIMAL(8,2)", r.next() && r.getInt("DATA_TYPE") == Types.DECIMAL && r.getInt("COLUMN_SIZE") == 8 && r.getInt("DECIMAL_DIGITS") == 2);
      }
      try (ResultSet r = meta.getPrimaryKeys("demo", null, "sales")) {
        int n = 0;
        while (r.next()) n++;
        check("metadata: three primary key columns", n == 3);
      }
      try (PreparedStatement s = c.prepareStatement("SELECT COUNT(*), SUM(units) FROM demo.sales WHERE sold_on BETWEEN ? AND ? AND store = ?")) {
        s.setDate(1, Date.valueOf("2025-01-01"));
        s.setDate(2, Date.valueOf("2025-01-31"));
        s.setString(3, "Bristol");
        try (ResultSet r = s.executeQuery()) {
          check("prepared: a month of one store", r.next() && r.getLong(1) > 1000 && r.getLong(2) > 0);
        }
      }
      try (PreparedStatement s = c.prepareStatement("SELECT * FROM FORECAST('demo.airline', 'month', 'passengers', ?, 'model=ets')")) {
        ResultSetMetaData m = s.getMetaData();
        if (m != null) check("prepared: columns known before the horizon", m.getColumnCount() == 10 && m.getColumnName(1).equals("month"));
        for (int horizon : new int[] {6, 12}) {
          s.setInt(1, horizon);
          try (ResultSet r = s.executeQuery()) {
            int n = 0;
            while (r.next()) {
              n++;
              if (!(r.getDouble("lower_bound") < r.getDouble("forecast"))) throw new IllegalStateException("bounds of step " + n);
            }
            check("prepared: horizon " + horizon, n == horizon);
          }
        }
      }
      try (Statement s = c.createStatement();
          ResultSet r = s.executeQuery("SELECT YEAR(month) AS y, SUM(forecast) AS total FROM (SELECT * FROM FORECAST('demo.airline', 'month', 'passengers', 24)) f GROUP BY YEAR(month) ORDER BY y LIMIT 10")) {
        check("sub-select: forecast by year", r.next() && r.getInt("y") == 1961 && r.getDouble("total") > 5000);
      }
      try (Statement s = c.createStatement()) {
        s.executeQuery("SELECT * FROM FORECAST('demo.airline', 'month', 'passengers', 0)");
        check("horizon 0 is an error", false);
      } catch (SQLException e) {
        check("horizon 0 is an error", e.getMessage().contains("horizon"));
      }
      c.setAutoCommit(false);
      try (Statement s = c.createStatement()) {
        s.executeUpdate("CREATE TABLE demo.jdbc_scratch (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20))");
        try (PreparedStatement p = c.prepareStatement("INSERT INTO demo.jdbc_scratch (name) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
          p.setString(1, "first");
          p.executeUpdate();
          try (ResultSet keys = p.getGeneratedKeys()) {
            check("generated key", keys.next() && keys.getLong(1) == 1);
          }
        }
        c.rollback();
        try (ResultSet r = s.executeQuery("SELECT COUNT(*) FROM demo.jdbc_scratch")) {
          check("rollback", r.next() && r.getLong(1) == 0);
        }
        s.executeUpdate("DROP TABLE demo.jdbc_scratch");
      }
    }
  }

  static void check(String name, boolean ok) {
    System.out.println((ok ? "ok   " : "FAIL ") + name);
    if (!ok) System.exit(1);
  }
}
