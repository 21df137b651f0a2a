package ui

// Finding prints the outcome of a check. Level is "ok", "warning" or "problem";
// why and next may be "".
func (s Style) Finding(level, what, why, next string) {
	sign := s.paint(green, "✓")
	switch level {
	case "warning":
		sign = s.paint(yellow, "!")
	case "problem":
		sign = s.paint(red, "✗")
	}
	s.printf("  %s %s\n", sign, what)
	if why != "" {
		s.printf("      %s\n", s.paint(dim, why))
	}
	if next != "" {
		s.printf("      → %s\n", next)
	}
}
