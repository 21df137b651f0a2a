package report

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestSquarify(t *testing.T) {
	box := rect{0, 0, 6, 4}
	tests := []struct {
		name    string
		weights []float64
		in      rect
		want    []rect
	}{
		{"nothing", nil, box, []rect{}},
		{"one takes all", []float64{7}, box, []rect{box}},
		{"two halves", []float64{1, 1}, box, []rect{{0, 0, 3, 4}, {3, 0, 3, 4}}},
		{"order of weights is kept", []float64{1, 3}, rect{0, 0, 4, 1}, []rect{{3, 0, 1, 1}, {0, 0, 3, 1}}},
		{"no weight, no area", []float64{0, 5, -1}, box, []rect{{0, 0, 0, 0}, box, {0, 0, 0, 0}}},
		{"only zeros", []float64{0, 0}, box, []rect{{}, {}}},
		{"no room", []float64{1}, rect{2, 3, 0, 4}, []rect{{2, 3, 0, 0}}},
		// The worked example of the paper, section 3: the first column holds
		// both sixes, the second row 4 and 3, and so on.
		{"the paper's example", []float64{6, 6, 4, 3, 2, 2, 1}, box, []rect{
			{0, 0, 3, 2}, {0, 2, 3, 2},
			{3, 0, 12. / 7, 7. / 3}, {3 + 12./7, 0, 9. / 7, 7. / 3},
			{3, 7. / 3, 6. / 5, 5. / 3}, {3 + 6./5, 7. / 3, 6. / 5, 5. / 3}, {3 + 12./5, 7. / 3, 3. / 5, 5. / 3},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := squarify(tt.weights, tt.in)
			if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(rect{}), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
		})
	}
}

func TestSquarifyFillsItsRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rect{
			rapid.Float64Range(-100, 100).Draw(t, "x"), rapid.Float64Range(-100, 100).Draw(t, "y"),
			rapid.Float64Range(1, 2000).Draw(t, "w"), rapid.Float64Range(1, 2000).Draw(t, "h"),
		}
		weights := rapid.SliceOfN(rapid.OneOf(
			rapid.Float64Range(1, 100), rapid.Float64Range(1e-6, 1e12), rapid.Just(0.0),
		), 1, 60).Draw(t, "weights")
		got := squarify(weights, in)
		if diff := cmp.Diff(squarify(weights, in), got, cmp.AllowUnexported(rect{})); diff != "" {
			t.Fatalf("a second time differs:\n%s", diff)
		}
		checkProportions(t, weights, got, in)
		checkApart(t, got, in)
	})
}

func checkProportions(t *rapid.T, weights []float64, got []rect, in rect) {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	for i, r := range got {
		if want := weights[i] / max(total, 1e-300) * in.area(); math.Abs(r.area()-want) > 1e-6*in.area() {
			t.Errorf("weight %g has area %g, want %g", weights[i], r.area(), want)
		}
	}
}

func checkApart(t *rapid.T, got []rect, in rect) {
	const eps = 1e-6
	for i, a := range got {
		if a.w < 0 || a.h < 0 || a.x < in.x-eps || a.y < in.y-eps || a.x+a.w > in.x+in.w+eps || a.y+a.h > in.y+in.h+eps {
			t.Errorf("%v lies outside of %v", a, in)
		}
		for _, b := range got[i+1:] {
			if min(a.x+a.w, b.x+b.w)-max(a.x, b.x) > eps && min(a.y+a.h, b.y+b.h)-max(a.y, b.y) > eps {
				t.Errorf("%v and %v overlap", a, b)
			}
		}
	}
}

func TestSquarifyMakesSquares(t *testing.T) {
	weights := make([]float64, 100)
	for i := range weights {
		weights[i] = 1
	}
	for _, r := range squarify(weights, rect{0, 0, 1000, 1000}) {
		if ratio := max(r.w/r.h, r.h/r.w); ratio > 1.3 {
			t.Errorf("%v is %.2f times as long as wide", r, ratio)
		}
	}
}
