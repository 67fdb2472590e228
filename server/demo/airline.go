package demo

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const airlineDDL = `CREATE TABLE airline (
  month      DATE NOT NULL PRIMARY KEY,
  passengers INT  NOT NULL COMMENT 'thousands'
) COMMENT 'international airline passengers 1949 to 1960 (Box & Jenkins, series G)'`

// passengers are the monthly totals of international airline passengers, thousands, January 1949 to December 1960: series G of
// Box & Jenkins, Time Series Analysis (1976).
var passengers = [144]int32{
	112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118,
	115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140,
	145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166,
	171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194,
	196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201,
	204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229,
	242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
	284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306,
	315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336,
	340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337,
	360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405,
	417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432,
}

// Airline gives demo.airline, one row a month dated on its first day. The caller releases the batch.
func Airline(mem memory.Allocator) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "month", Type: arrow.FixedWidthTypes.Date32},
		{Name: "passengers", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i, n := range passengers {
		b.Field(0).(*array.Date32Builder).Append(arrow.Date32FromTime(time.Date(1949, time.Month(1+i), 1, 0, 0, 0, 0, time.UTC)))
		b.Field(1).(*array.Int32Builder).Append(n)
	}
	return b.NewRecordBatch()
}
