package ui

import "strings"

// Table prints rows as columns that line up, indented by two. Columns that are
// empty in every row are left out. Only a terminal gets shortened rows.
func (s Style) Table(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			cell = Visible(cell)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Columns(cell))
		}
	}
	for _, row := range rows {
		var cells []string
		for i, cell := range row {
			if widths[i] > 0 {
				cells = append(cells, pad(Visible(cell), widths[i]))
			}
		}
		line := strings.TrimRight(strings.Join(cells, "   "), " ")
		if s.columns > 0 {
			line = clip(line, s.columns-2)
		}
		s.printf("  %s\n", line)
	}
}
