package ingest

// fieldOrder is the order of year, month and day in a date's text.
type fieldOrder uint8

const (
	yearFirst  fieldOrder = iota // 2025-03-01, 2025/3/1
	monthFirst                   // 3/1/2025
	dayFirst                     // 1.3.2025, 1/3/2025
	nOrders
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
)

// stamp is a parsed date or date and time.
type stamp struct {
	days    int64 // since 1970-01-01
	micros  int64 // since midnight; may run over after a zone offset
	hasTime bool
}

// parseStamp reads a date, or a date and a time of day, whose fields come in the given order: separators - / or ., then optionally a
// space or T, HH:MM[:SS[.fraction]] and Z or a ±HH:MM offset (taken to UTC). It allocates nothing.
func parseStamp(s string, order fieldOrder) (stamp, bool) {
	var f [3]int
	pos := 0
	var sep byte
	for i := range f {
		start := pos
		for pos < len(s) && s[pos]-'0' <= 9 {
			f[i] = f[i]*10 + int(s[pos]-'0')
			if pos++; pos-start > 4 {
				return stamp{}, false
			}
		}
		isYear := (order == yearFirst) == (i == 0) && (i == 0 || i == 2)
		if n := pos - start; (isYear && n != 4) || (!isYear && (n < 1 || n > 2)) {
			return stamp{}, false
		}
		if i == 2 {
			break
		}
		if pos >= len(s) || (s[pos] != '-' && s[pos] != '/' && s[pos] != '.') || (i == 1 && s[pos] != sep) {
			return stamp{}, false
		}
		sep = s[pos]
		pos++
	}
	if sep == '.' && order == monthFirst {
		return stamp{}, false // nobody writes 12.31.2025
	}
	var y, m, d int
	switch order {
	case yearFirst:
		y, m, d = f[0], f[1], f[2]
	case monthFirst:
		m, d, y = f[0], f[1], f[2]
	default:
		d, m, y = f[0], f[1], f[2]
	}
	if m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return stamp{}, false
	}
	out := stamp{days: daysFromCivil(y, m, d)}
	if pos == len(s) {
		return out, true
	}
	if s[pos] != ' ' && s[pos] != 'T' {
		return stamp{}, false
	}
	var ok bool
	out.micros, ok = parseClock(s[pos+1:])
	out.hasTime = true
	return out, ok
}

// parseClock reads HH:MM[:SS[.fraction]][Z|±HH:MM] as microseconds since midnight UTC.
func parseClock(s string) (int64, bool) {
	two := func(at int) (int64, bool) {
		if at+2 > len(s) || s[at]-'0' > 9 || s[at+1]-'0' > 9 {
			return 0, false
		}
		return int64(s[at]-'0')*10 + int64(s[at+1]-'0'), true
	}
	pos := 0
	hour, ok := two(0)
	switch {
	case ok:
		pos = 2
	case len(s) > 1 && s[0]-'0' <= 9 && s[1] == ':': // 8:26
		hour, pos = int64(s[0]-'0'), 1
	default:
		return 0, false
	}
	if pos >= len(s) || s[pos] != ':' {
		return 0, false
	}
	minute, ok := two(pos + 1)
	if !ok || hour > 23 || minute > 59 {
		return 0, false
	}
	pos += 3
	micros := (hour*3600 + minute*60) * microsPerSecond
	if pos < len(s) && s[pos] == ':' {
		second, ok := two(pos + 1)
		if !ok || second > 59 {
			return 0, false
		}
		micros += second * microsPerSecond
		pos += 3
		if pos < len(s) && s[pos] == '.' {
			pos++
			unit := int64(microsPerSecond / 10)
			start := pos
			for ; pos < len(s) && s[pos]-'0' <= 9; pos++ {
				micros += int64(s[pos]-'0') * unit
				unit /= 10
			}
			if pos == start {
				return 0, false
			}
		}
	}
	if pos == len(s) {
		return micros, true
	}
	if s[pos:] == "Z" {
		return micros, true
	}
	if sign := s[pos]; (sign == '+' || sign == '-') && len(s)-pos == 6 && s[pos+3] == ':' {
		h, ok1 := two(pos + 1)
		m, ok2 := two(pos + 4)
		if !ok1 || !ok2 || h > 14 || m > 59 {
			return 0, false
		}
		offset := (h*3600 + m*60) * microsPerSecond
		if sign == '+' {
			offset = -offset
		}
		return micros + offset, true
	}
	return 0, false
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysFromCivil counts the days from 1970-01-01 to a date of the proleptic Gregorian calendar, years 0 and later. The year is
// taken to begin in March, so that the leap day is its last.
func daysFromCivil(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	year, month, day := int64(y), int64(m), int64(d)
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 719469
}
