package edge

import (
	"strings"
	"time"
)

// parseDate reads an HTTP date in one of its three forms, letter case aside. Everything else is no date:
// another zone than GMT, a missing comma, a one-digit hour, two blanks for one. Now settles the century of a two-digit year.
// RFC 9110 5.6.7, grammar; RFC 9111 4.2, any letter case, and no zone but GMT.
func parseDate(value string, now time.Time) (time.Time, bool) {
	comma := strings.IndexByte(value, ',')
	switch {
	case comma <= 3 && !isWeekday(value, 3):
		return time.Time{}, false
	case comma == 3 && fits(value, "www, 00 mmm 0000 00:00:00 GMT"):
		return makeDate(value[5:7], value[8:11], digits(value[12:16]), value[17:25])
	case comma < 0 && fits(value, "www mmm  0 00:00:00 0000"):
		return makeDate("0"+value[9:10], value[4:7], digits(value[20:24]), value[11:19])
	case comma < 0 && fits(value, "www mmm 00 00:00:00 0000"):
		return makeDate(value[8:10], value[4:7], digits(value[20:24]), value[11:19])
	case comma > 3 && isWeekday(value[:comma], comma) && fits(value[comma:], ", 00-mmm-00 00:00:00 GMT"):
		at, ok := makeDate(value[comma+2:comma+4], value[comma+5:comma+8], now.Year()/100*100+digits(value[comma+9:comma+11]), value[comma+12:comma+20])
		if at.After(now.AddDate(50, 0, 0)) { // RFC 9110 5.6.7: more than 50 years ahead means the past
			at = at.AddDate(-100, 0, 0)
		}
		return at, ok
	}
	return time.Time{}, false
}

// fits compares value with a picture: "0" stands for a digit, "w" and "m" for the letters of weekday and month, the rest for itself.
func fits(value, picture string) bool {
	if len(value) != len(picture) {
		return false
	}
	for i := range len(picture) {
		c := value[i]
		switch p := picture[i]; p {
		case '0':
			if c < '0' || c > '9' {
				return false
			}
		case 'w', 'm':
			if c|0x20 < 'a' || c|0x20 > 'z' {
				return false
			}
		default:
			if c != p && c != p|0x20 {
				return false
			}
		}
	}
	return true
}

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// makeDate puts a date together whose digits are digits. Not ok means that the calendar has no such date.
func makeDate(day, month string, year int, clock string) (time.Time, bool) {
	m := strings.Index(months, strings.ToLower(month))
	d, hour, minute, second := digits(day), digits(clock[:2]), digits(clock[3:5]), digits(clock[6:])
	if m < 0 || m%3 != 0 || hour > 23 || minute > 59 || second > 60 { // 60 is a leap second
		return time.Time{}, false
	}
	at := time.Date(year, time.Month(m/3+1), d, hour, minute, 0, 0, time.UTC)
	return at.Add(time.Duration(second) * time.Second), at.Day() == d
}

// digits is the number that a few ASCII digits make.
func digits(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// isWeekday says whether value begins with n letters that are the name of a weekday: its first three, or all.
func isWeekday(value string, n int) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := d.String(); len(value) >= n && (n == 3 || n == len(name)) && strings.EqualFold(value[:n], name[:n]) {
			return true
		}
	}
	return false
}
