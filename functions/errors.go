package functions

import (
	"fmt"
	"strings"
)

// Error is a message for the person who wrote the SQL: what is wrong, why, and how to mend it.
type Error struct {
	// Code is stable across releases, such as "FC0203".
	Code string
	// SQLState is the five-character class that MySQL clients see.
	SQLState string
	// Message begins with the function in lower case: "forecast: series 'SKU-42' has 9 observations; …".
	Message string
	// Fix is what to do, without the word "Fix".
	Fix string
	// Cause is the error underneath, if any; errors.Is and errors.As see it.
	Cause error
}

// Error prints the code, the message and, on a second line, the fix.
func (e *Error) Error() string {
	if e.Fix == "" {
		return e.Code + " " + e.Message
	}
	return e.Code + " " + e.Message + "\nFix: " + e.Fix
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Code declares one kind of error for the messages and the documentation.
type Code struct {
	// Number is the stable code; SQLState the class sent with it.
	Number, SQLState string
	// Meaning is one sentence for the manual.
	Meaning string
}

// The errors of the table functions. FC01 is about the call, FC02 about the data, FC03 about the execution.
var (
	codeArguments    = Code{"FC0101", "42000", "The number of arguments does not fit the function."}
	codeArgumentType = Code{"FC0102", "22023", "An argument has the wrong type."}
	codeNoColumn     = Code{"FC0103", "42S22", "A column named in the call does not exist in the source."}
	codeAmbiguous    = Code{"FC0104", "23000", "The source has two columns of the name used."}
	codeColumnType   = Code{"FC0105", "22023", "A column has a type that cannot serve in its place, such as text as the value."}
	codeKeyClash     = Code{"FC0106", "42S21", "A key or time column has the name of an output column."}
	codeRange        = Code{"FC0107", "22003", "A number is outside its range."}
	codeLiteral      = Code{"FC0108", "42000", "An argument that fixes the output columns was passed as a placeholder."}
	codeColumnTwice  = Code{"FC0109", "42000", "One column is used in two places."}
	codeNoOption     = Code{"FC0110", "42000", "The function has no option of that name."}
	codeOptionValue  = Code{"FC0111", "22023", "An option has a value that it does not take."}
	codeOptionTwice  = Code{"FC0112", "42000", "An option is given more than once."}
	codeOptionSyntax = Code{"FC0113", "42000", "The options text is not 'key=value; key=value' nor a JSON object."}
	codeNoModel      = Code{"FC0114", "22023", "There is no model of that name, or its orders are not understood."}
	codeNoDevice     = Code{"FC0115", "0A000", "The device asked for is not available."}
	codeConflict     = Code{"FC0116", "42000", "Two options contradict each other."}
	codeEmpty        = Code{"FC0201", "02000", "The source has no usable rows."}
	codeDuplicate    = Code{"FC0202", "23000", "A series has several rows for one time and agg=error forbids it."}
	codeTooShort     = Code{"FC0203", "22023", "A series has too few observations."}
	codeMissing      = Code{"FC0204", "22004", "A series has missing values where none are allowed."}
	codeNoFit        = Code{"FC0205", "22023", "A model could not be estimated on a series."}
	codeFrequency    = Code{"FC0206", "22023", "The spacing of the time column could not be found or does not fit the data."}
	codeNotPositive  = Code{"FC0207", "22023", "A multiplicative form met values that are zero or negative."}
	codeTooMany      = Code{"FC0208", "54000", "The call would produce or hold more than the server allows."}
	codeBadTime      = Code{"FC0209", "22008", "A time is NULL, or a result lies beyond the calendar's end (9999-12-31)."}
	codeTooFewSeries = Code{"FC0210", "22023", "There are fewer series than the function needs."}
	codeBadValue     = Code{"FC0211", "22023", "A value is infinite or out of the range of double precision."}
	codeInternal     = Code{"FC0301", "HY000", "Something failed inside Almanac; the message says where. Please report it."}
	codeSource       = Code{"FC0302", "HY000", "The source could not be read."}
	codeNotReady     = Code{"FC0303", "HY000", "A prepared call was executed without values for its placeholders."}
)

// Codes lists every error in the order of its number.
func Codes() []Code {
	return []Code{
		codeArguments, codeArgumentType, codeNoColumn, codeAmbiguous, codeColumnType, codeKeyClash, codeRange, codeLiteral,
		codeColumnTwice, codeNoOption, codeOptionValue, codeOptionTwice, codeOptionSyntax, codeNoModel, codeNoDevice, codeConflict,
		codeEmpty, codeDuplicate, codeTooShort, codeMissing, codeNoFit, codeFrequency, codeNotPositive, codeTooMany, codeBadTime,
		codeTooFewSeries, codeBadValue, codeInternal, codeSource, codeNotReady,
	}
}

// fault builds an Error of the code. subject is the function's name (any case), fix the remedy.
func fault(c Code, subject, fix, format string, args ...any) *Error {
	return &Error{
		Code: c.Number, SQLState: c.SQLState, Fix: fix,
		Message: strings.ToLower(subject) + ": " + fmt.Sprintf(format, args...),
	}
}

// because records the error underneath.
func (e *Error) because(cause error) *Error {
	e.Cause = cause
	return e
}
