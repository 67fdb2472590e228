package ingest

// ISODate reads a date written YYYY-MM-DD as days since 1970-01-01. Other spellings, dates that the calendar does not have and the
// year 0 are not ok. It allocates nothing.
func ISODate(s string) (days int32, ok bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:])
	if !ok1 || !ok2 || !ok3 || y < 1 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, false
	}
	return int32(daysFromCivil(y, m, d)), true
}

// ISODatetime reads YYYY-MM-DD or YYYY-MM-DD HH:MM:SS[.f], with a space or a T between and a fraction of at most decimals digits (up
// to six), as microseconds since 1970-01-01 00:00:00. Other spellings are not ok. It allocates nothing.
func ISODatetime(s string, decimals int) (micros int64, ok bool) {
	if len(s) < 10 {
		return 0, false
	}
	days, ok := ISODate(s[:10])
	if !ok {
		return 0, false
	}
	micros = int64(days) * microsPerDay
	if len(s) == 10 {
		return micros, true
	}
	if len(s) < 19 || (s[10] != ' ' && s[10] != 'T') || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	hour, ok1 := digits(s[11:13])
	minute, ok2 := digits(s[14:16])
	second, ok3 := digits(s[17:19])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	micros += int64((hour*60+minute)*60+second) * microsPerSecond
	if len(s) == 19 {
		return micros, true
	}
	fraction := s[20:]
	if s[19] != '.' || len(fraction) == 0 || len(fraction) > min(decimals, 6) {
		return 0, false
	}
	f, ok := digits(fraction)
	for range 6 - len(fraction) {
		f *= 10
	}
	return micros + int64(f), ok
}

// digits reads a short number without a sign.
func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}
