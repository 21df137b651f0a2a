package ui

import (
	"fmt"
	"math"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
)

// purges prints what is invalidated and what that costs.
func (s Style) purges(v PlanView) {
	p := v.Plan
	switch {
	case v.To == "" && len(p.Steps) > 0:
		s.printf("Nothing is invalidated: the target has no distribution.\n")
		return
	case p.Paths() == 0:
		s.printf("Nothing to invalidate.\n")
		return
	}
	s.printf("Invalidate %s, %s\n", s.paint(bold, Count(p.Paths(), "path")), s.price(v))
	for _, u := range p.Purges {
		if len(p.Purges) > 1 {
			s.printf("%s: %s\n", s.paint(bold, u.Distribution), Count(len(u.Cover.Items), "path"))
		}
		s.Items(u.Cover, v.MaxRows)
		s.printf("%s\n", dropped(u))
	}
	if p.Money.FellBack {
		s.printf("%s\n", s.paint(yellow, fmt.Sprintf("The month's budget of %s paths does not allow more: the frugal policy was used.", Number(p.Money.Budget))))
	}
	if v.Ledger != "" {
		s.printf("%s\n", s.paint(dim, "The month's count is not whole: "+v.Ledger))
	}
}

// Money says what paths cost: "free (412 of 1,000 used this month)".
func Money(m plan.Money) string {
	switch {
	case m.Free:
		return "free"
	case m.Price > 0:
		return fmt.Sprintf("$%.2f (%s used this month)", m.Price, Number(m.Used))
	case m.Budget > 0:
		return fmt.Sprintf("free (%s of %s used this month)", Number(m.Used), Number(m.Budget))
	}
	return fmt.Sprintf("free (%s used this month)", Number(m.Used))
}

// effectSeconds is how long an accepted invalidation takes to be effective at
// P95; AWS, "invalidation by cache tag", 29 April 2026.
const effectSeconds = 5

func (s Style) price(v PlanView) string {
	text := Money(v.Plan.Money)
	if v.Plan.Money.Free {
		return text
	}
	seconds := 0.0
	for _, u := range v.Plan.Purges {
		seconds += u.Seconds
	}
	return text + fmt.Sprintf(", effective in about %.0f s", math.Ceil(seconds)+effectSeconds)
}

// Items lists the paths of a cover with what each is for.
func (s Style) Items(c invalidation.Cover, most int) {
	shown := c.Items
	if most > 0 && len(shown) > most {
		shown = shown[:most]
	}
	columns := 0
	for _, it := range shown {
		columns = max(columns, Columns(Visible(string(it.Path))))
	}
	columns = min(columns, 64)
	for _, it := range shown {
		s.printf("  %s  %s\n", s.paint(blue, pad(Visible(string(it.Path)), columns)), Visible(Purpose(it)))
	}
	if rest := len(c.Items) - len(shown); rest > 0 {
		s.printf("  %s\n", s.paint(dim, fmt.Sprintf("… and %s more; `freshet plan` lists them all", Number(rest))))
	}
}

// Purpose says what an item is for and what else it does.
func Purpose(it invalidation.Item) string {
	if !it.Path.IsWildcard() && !it.Path.IsTag() || it.CoverCount == 0 && it.Drops == 0 {
		return it.Why
	}
	text := Count(it.CoverCount, "URL") + " that changed"
	if it.Drops == 0 {
		return text + "; drops nothing else"
	}
	return fmt.Sprintf("%s; also drops %s (%s)", text, Count(it.Drops, "untouched object"), Bytes(it.DropsBytes))
}

func dropped(u plan.Purge) string {
	text := "Drops " + Count(u.Cover.Drops, "untouched object")
	if u.Cover.Drops > 0 {
		text += " (" + Bytes(u.Cover.DropsBytes) + ")"
	}
	text += "."
	if u.LiveObjects > u.Cover.Drops {
		text += fmt.Sprintf(` "/*" would drop %s (%s).`, Number(u.LiveObjects), Bytes(u.LiveBytes))
	}
	return text
}
