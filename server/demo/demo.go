// Package demo simulates the demonstration database: three years of daily sales of a small retail chain, and the airline
// passengers every textbook starts with. The seed is fixed: every
// machine of one processor family gets the same rows.
//
// # Recipe of demo.sales
//
// Five stores sell forty SKUs of four categories each day from 2023-01-01 to 2025-12-31. The expected units of one SKU in one
// store on one day are the product of
//
//   - a base rate of the SKU (log-normal: a few fast movers, many slow ones) and a size factor of the store,
//   - a trend of the SKU: growing, fading or steady, up to ±25 % a year,
//   - a yearly season of the category (drinks and garden peak in summer, gifts before Christmas, staples hardly move),
//   - a weekday profile (Saturday busiest), shifted a little per store,
//   - a price effect with an elasticity between −1 and −3; list prices rise once a year,
//   - a promotion effect of 1.2 to 1.8 on top of the lower price; promotions last a week and cut the price by 10 to 30 %,
//   - a holiday effect: US federal holidays and Easter Sunday halve staples and raise gifts; stores close on 25 December.
//
// Units are negative binomial around that mean, so that slow movers have many zeros and fast movers scatter. Stock-outs start
// at random, more often under a promotion, last two to six days and hide the demand: units are 0 and stock_out is 1. Six SKUs are
// launched during the three years and two are withdrawn; there are no rows before a launch or after a withdrawal.
package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/aa"
	"github.com/rickar/cal/v2/us"
	"gonum.org/v1/gonum/stat/distuv"
)

// Table is one table of the demo database: how to create it and the rows that fill it.
type Table struct {
	Name string
	// DDL creates the table inside the current database; its columns match Rows by name, order and type.
	DDL string
	// Rows makes the rows. The caller releases the batch.
	Rows func(memory.Allocator) arrow.RecordBatch
}

// Tables lists the demo tables.
func Tables() []Table {
	return []Table{
		{Name: "sales", DDL: salesDDL, Rows: Sales},
		{Name: "airline", DDL: airlineDDL, Rows: Airline},
	}
}

const salesDDL = `CREATE TABLE sales (
  store     VARCHAR(20)  NOT NULL COMMENT 'town of the store',
  sku       VARCHAR(20)  NOT NULL COMMENT 'category and number of the product',
  sold_on   DATE         NOT NULL,
  units     INT          NOT NULL COMMENT 'units sold; 0 while out of stock',
  price     DECIMAL(8,2) NOT NULL COMMENT 'shelf price of the day',
  promo     BOOLEAN      NOT NULL COMMENT '1 while on promotion',
  holiday   BOOLEAN      NOT NULL COMMENT '1 on a public holiday',
  stock_out BOOLEAN      NOT NULL COMMENT '1 when the shelf was empty: units do not show the demand',
  PRIMARY KEY (store, sku, sold_on)
) COMMENT 'simulated daily sales of 5 stores and 40 products, 2023 to 2025'`

const (
	seed     = 20230101
	nSKUs    = 40
	firstDay = "2023-01-01"
	lastDay  = "2025-12-31"
)

// store is a shop of the chain; size scales everything it sells.
type store struct {
	name string
	size float64
}

var stores = []store{
	{"Aberdeen", 0.7},
	{"Bristol", 1.3},
	{"Cardiff", 0.9},
	{"Durham", 0.6},
	{"Exeter", 1.0},
}

// category shares a yearly season and a reaction to holidays. peak is the day of the year of the highest demand, swing the
// relative amplitude.
type category struct {
	name    string
	peak    float64
	swing   float64
	holiday float64
	advent  float64 // factor reached by mid-December
	price   float64 // typical list price
}

var categories = []category{
	{"DRINKS", 200, 0.35, 0.8, 1.2, 2.5},
	{"GARDEN", 150, 0.70, 1.1, 0.7, 14},
	{"GIFTS", 340, 0.15, 1.2, 2.6, 9},
	{"STAPLES", 20, 0.05, 0.5, 1.1, 4},
}

// product is one SKU with the parameters of its demand.
type product struct {
	sku         string
	category    category
	base        float64 // units a day in a store of size 1
	growth      float64 // log trend a year
	elasticity  float64
	lift        float64 // promotion effect beyond the price
	dispersion  float64 // negative binomial size; smaller scatters more
	listPrice   float64
	first, last int // days on sale, inclusive
	promoDays   []bool
	promoPrice  float64 // fraction of the list price under promotion
}

// Sales simulates demo.sales by the recipe of the package, ordered by its primary key. The caller releases the batch.
func Sales(mem memory.Allocator) arrow.RecordBatch {
	days := calendarDays()
	products := drawProducts(len(days))

	schema := arrow.NewSchema([]arrow.Field{
		{Name: "store", Type: arrow.BinaryTypes.String},
		{Name: "sku", Type: arrow.BinaryTypes.String},
		{Name: "sold_on", Type: arrow.FixedWidthTypes.Date32},
		{Name: "units", Type: arrow.PrimitiveTypes.Int32},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 8, Scale: 2}},
		{Name: "promo", Type: arrow.PrimitiveTypes.Int8},
		{Name: "holiday", Type: arrow.PrimitiveTypes.Int8},
		{Name: "stock_out", Type: arrow.PrimitiveTypes.Int8},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	row := salesRow{
		store:    b.Field(0).(*array.StringBuilder),
		sku:      b.Field(1).(*array.StringBuilder),
		soldOn:   b.Field(2).(*array.Date32Builder),
		units:    b.Field(3).(*array.Int32Builder),
		price:    b.Field(4).(*array.Decimal128Builder),
		promo:    b.Field(5).(*array.Int8Builder),
		holiday:  b.Field(6).(*array.Int8Builder),
		stockOut: b.Field(7).(*array.Int8Builder),
	}
	for s, st := range stores {
		for p := range products {
			// One source per series: adding a store or a product leaves the others' rows as they are.
			rng := rand.New(rand.NewPCG(seed, uint64(s)<<32|uint64(p)))
			simulate(&row, rng, st, &products[p], days)
		}
	}
	return b.NewRecordBatch()
}

type salesRow struct {
	store, sku               *array.StringBuilder
	soldOn                   *array.Date32Builder
	units                    *array.Int32Builder
	price                    *array.Decimal128Builder
	promo, holiday, stockOut *array.Int8Builder
}

type day struct {
	date    arrow.Date32
	weekday time.Weekday
	yearDay float64
	years   float64 // since the first day
	holiday bool
	closed  bool
	advent  float64 // 0 … 1, rising through Advent
}

func calendarDays() []day {
	first, _ := time.Parse(time.DateOnly, firstDay)
	last, _ := time.Parse(time.DateOnly, lastDay)
	holidays := cal.NewBusinessCalendar()
	holidays.AddHoliday(us.Holidays...)
	var days []day
	for t := first; !t.After(last); t = t.AddDate(0, 0, 1) {
		actual, _, _ := holidays.IsHoliday(t)
		d := day{
			date:    arrow.Date32FromTime(t),
			weekday: t.Weekday(),
			yearDay: float64(t.YearDay()),
			years:   t.Sub(first).Hours() / 24 / 365.25,
			holiday: actual || t.Equal(easter(t.Year())),
			closed:  t.Month() == time.December && t.Day() == 25,
		}
		if t.Month() == time.December && t.Day() < 25 {
			d.advent = float64(t.Day()) / 24
		}
		days = append(days, d)
	}
	return days
}

// easter is Easter Sunday of the Gregorian calendar.
func easter(year int) time.Time {
	sunday, _ := aa.Easter.Calc(year)
	return time.Date(sunday.Year(), sunday.Month(), sunday.Day(), 0, 0, 0, 0, time.UTC)
}

func drawProducts(nDays int) []product {
	rng := rand.New(rand.NewPCG(seed, 1<<63))
	launch := map[int]int{7: 200, 13: 330, 18: 480, 22: 610, 31: 760, 38: 1000} // product to day of launch
	withdraw := map[int]int{4: 700, 27: 900}
	products := make([]product, nSKUs)
	for i := range products {
		c := categories[i%len(categories)]
		p := product{
			sku:        fmt.Sprintf("%s-%02d", c.name, i/len(categories)+1),
			category:   c,
			base:       math.Exp(0.9 + 1.1*rng.NormFloat64()),
			growth:     0.10 * rng.NormFloat64(),
			elasticity: -1 - 2*rng.Float64(),
			lift:       1.2 + 0.6*rng.Float64(),
			dispersion: 2 + 6*rng.Float64(),
			listPrice:  math.Round(c.price*math.Exp(0.4*rng.NormFloat64())*10)/10 - 0.01,
			last:       nDays - 1,
			promoDays:  make([]bool, nDays),
			promoPrice: 0.7 + 0.2*rng.Float64(),
		}
		p.growth = max(-0.25, min(0.25, p.growth))
		if first, ok := launch[i]; ok {
			p.first = first
		}
		if last, ok := withdraw[i]; ok {
			p.last = last
		}
		// About one week in nine is a promotion, from Thursday to Wednesday, and never two in a row.
		for d := 4; d+7 < nDays; d += 7 {
			if rng.Float64() < 1.0/9 {
				for k := range 7 {
					p.promoDays[d+k] = true
				}
				d += 7
			}
		}
		products[i] = p
	}
	return products
}

var weekdays = [7]float64{0.95, 0.80, 0.82, 0.88, 1.00, 1.20, 1.35} // Sunday first

// simulate appends the rows of one product in one store.
func simulate(row *salesRow, rng *rand.Rand, st store, p *product, days []day) {
	weekendShift := 1 + 0.15*rng.NormFloat64()
	outFor := 0
	for d := p.first; d <= p.last; d++ {
		day := days[d]
		year := int(day.years)
		list := p.listPrice * math.Pow(1.03, float64(year)) // prices rise by 3 % each January
		price := math.Round(list*100) / 100
		promo := p.promoDays[d]
		if promo {
			price = math.Round(list*p.promoPrice*100) / 100
		}

		mean := p.base * st.size * math.Exp(p.growth*day.years)
		mean *= 1 + p.category.swing*math.Cos(2*math.Pi*(day.yearDay-p.category.peak)/365.25)
		mean *= weekdays[day.weekday]
		if day.weekday == time.Saturday || day.weekday == time.Sunday {
			mean *= weekendShift
		}
		mean *= math.Pow(price/p.listPrice, p.elasticity)
		if promo {
			mean *= p.lift
		}
		if day.holiday {
			mean *= p.category.holiday
		}
		mean *= 1 + (p.category.advent-1)*day.advent
		if age := d - p.first; p.first > 0 && age < 60 {
			mean *= 0.3 + 0.7*float64(age)/60 // a new product finds its buyers over two months
		}

		units := negativeBinomial(rng, mean, p.dispersion)
		if outFor == 0 {
			chance := 0.003
			if promo {
				chance = 0.012
			}
			if rng.Float64() < chance {
				outFor = 2 + rng.IntN(5)
			}
		}
		stockOut := outFor > 0
		if stockOut {
			outFor--
			units = 0
		}
		if day.closed {
			units = 0
		}

		row.store.Append(st.name)
		row.sku.Append(p.sku)
		row.soldOn.Append(day.date)
		row.units.Append(units)
		row.price.Append(decimal128.FromI64(int64(math.Round(price * 100))))
		row.promo.Append(flag(promo))
		row.holiday.Append(flag(day.holiday))
		row.stockOut.Append(flag(stockOut))
	}
}

// negativeBinomial draws a count with the given mean and variance mean + mean²/size, as a Poisson whose rate is gamma distributed.
func negativeBinomial(rng *rand.Rand, mean, size float64) int32 {
	rate := distuv.Gamma{Alpha: size, Beta: size / mean, Src: rng}.Rand()
	return int32(distuv.Poisson{Lambda: max(rate, 1e-9), Src: rng}.Rand())
}

func flag(b bool) int8 {
	if b {
		return 1
	}
	return 0
}
