package server

import (
	"context"
	"strings"

	"github.com/dolthub/vitess/go/mysql"
)

// MySQL's numbers for errors that the engine sends as 1105 "unknown error". Drivers and ORMs decide by number and SQLSTATE
// whether to retry, to report a broken constraint, or to give up.
const (
	erDataTooLong     = 1406
	erOutOfRange      = 1264
	erTruncated       = 1265
	erNoDefault       = 1364
	erCheckViolated   = 3819
	erNoDatabase      = 1046
	erAccessDenied    = 1044
	erCommandDenied   = 1142
	erSyntax          = 1064
	erNoSuchProcedure = 1305
	erViewInvalid     = 1356
	erNoSuchDefiner   = 1449
	erNotGrouped      = 1055
	erMixedGroups     = 1140
)

// numberByText finds the number of an error by words of the engine's message.
var numberByText = []struct {
	words  string
	number int
}{
	{"could not be found in any table in scope", mysql.ERBadFieldError},
	{"table function: '", erNoSuchProcedure},
	{"no database selected", erNoDatabase},
	{"Check constraint \"", erCheckViolated},
	{"doesn't have a default value", erNoDefault},
	{" out of range for ", erOutOfRange},
	{"is too large for column", erDataTooLong},
	{"Data truncated for column", erTruncated},
	{"command denied to user", erCommandDenied},
	{"Access denied for user", erAccessDenied},
	{"syntax error at position", erSyntax},
	{"stored procedure \"", erNoSuchProcedure},
	{"not functionally dependent on columns in GROUP BY", erNotGrouped},
	{"table with name ", mysql.ERTableExists},
}

// stateByNumber holds the SQLSTATEs that MySQL sends, where they are not HY000.
var stateByNumber = map[int]string{
	1022: "23000", 1040: "08004", 1044: "42000", 1045: "28000", 1046: "3D000", 1048: "23000", 1049: "42000", 1050: "42S01",
	1051: "42S02", 1052: "23000", 1054: "42S22", 1055: "42000", 1059: "42000", 1060: "42S21", 1061: "42000", 1062: "23000",
	1064: "42000", 1065: "42000", 1068: "42000", 1072: "42000", 1091: "42000", 1109: "42S02", 1110: "42000", 1136: "21S01",
	1140: "42000", 1142: "42000", 1143: "42000", 1146: "42S02", 1149: "42000", 1169: "23000", 1213: "40001", 1222: "21000",
	1227: "42000", 1241: "21000", 1242: "21000", 1264: "22003", 1265: "01000", 1292: "22007", 1304: "42000", 1305: "42000",
	1317: "70100", 1318: "42000", 1365: "22012", 1370: "42000", 1406: "22001", 1451: "23000", 1452: "23000", 1557: "23000",
	1568: "25001", 1586: "23000", 1690: "22003", 1792: "25006", 3140: "22032", 3141: "22032",
}

// withMySQLCodes gives an error of the engine the number and SQLSTATE that MySQL would send.
func withMySQLCodes(err *mysql.SQLError) *mysql.SQLError {
	number, state := err.Num, err.State
	if strings.Contains(err.Message, "%!d(MISSING)") {
		return mysql.NewSQLError(erMixedGroups, "42000", "window functions beside aggregates: SELECT * and sub-queries in the same expression cannot be used"+
			"\nFix: group in a sub-query, SELECT …, RANK() OVER (…) FROM (SELECT …, SUM(…) … GROUP BY …) g")
	}
	if number == mysql.ERUnknownError && strings.HasSuffix(err.Message, context.Canceled.Error()) {
		return mysql.NewSQLError(mysql.ERQueryInterrupted, "70100", "Query execution was interrupted")
	}
	if number == mysql.ERUnknownError && (state == "" || state == mysql.SSUnknownSQLState) {
		for _, n := range numberByText {
			if strings.Contains(err.Message, n.words) {
				number = n.number
				break
			}
		}
	}
	if state == "" || state == mysql.SSUnknownSQLState {
		if s, ok := stateByNumber[number]; ok {
			state = s
		}
	}
	if number == err.Num && state == err.State {
		return err
	}
	return mysql.NewSQLError(number, state, "%s", err.Message)
}
