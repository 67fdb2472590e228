package tablefunc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/dolthub/vitess/go/mysql"

	"github.com/almanacdb/almanac/functions"
)

// Codes of MySQL's protocol that this package sends.
const (
	erUnknown          = 1105 // carries the SQLSTATE and text of a functions.Error
	erQueryInterrupted = 1317
	ssQueryInterrupted = "70100"
)

// sqlError makes the error that reaches the client. A functions.Error becomes a bare *mysql.SQLError, since the server
// looks for that type by assertion and would otherwise lose code and SQLSTATE; a cancelled statement says what MySQL says.
// The engine's own errors pass unchanged: they have their MySQL codes already.
func sqlError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	var known *mysql.SQLError
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return mysql.NewSQLError(erQueryInterrupted, ssQueryInterrupted, "Query execution was interrupted")
	}
	var user *functions.Error
	if errors.As(err, &user) {
		return mysql.NewSQLError(erUnknown, user.SQLState, "%s", user.Error())
	}
	return err
}

// recovered turns a panic of the surrounding function into an error, so that a defect in one function costs the client
// its statement, not its connection.
func (c *call) recovered(err *error) {
	r := recover()
	if r == nil {
		return
	}
	c.set.logger.Error("table function panicked", "function", c.spec.Name, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	*err = sqlError(&functions.Error{
		Code: "FC0301", SQLState: "HY000",
		Message: fmt.Sprintf("%s: internal error: %v", strings.ToLower(c.spec.Name), r),
		Fix:     "please report it, with the statement; the server's log has the details",
	})
}
