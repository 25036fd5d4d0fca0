package calc

import (
	"errors"
	"fmt"
	"math"
)

var errNoValue = errors.New("there is no value")

// functions are what an expression can call beside tag and tags. Their
// arguments are single values and lists of them; a missing value (nil) is
// left out of lists and an error elsewhere.
var functions = map[string]func(...any) (any, error){
	"sum":   overNumbers(sum),
	"mean":  overNumbers(func(xs []float64) float64 { return sum(xs) / float64(len(xs)) }),
	"min":   overNumbers(func(xs []float64) float64 { return fold(xs, math.Min) }),
	"max":   overNumbers(func(xs []float64) float64 { return fold(xs, math.Max) }),
	"count": count,
	"abs":   ofNumber(math.Abs),
	"ceil":  ofNumber(math.Ceil),
	"floor": ofNumber(math.Floor),
	"sqrt":  ofNumber(math.Sqrt),
	"round": round,
	"mod":   mod,
}

// sum adds with Neumaier's correction: many small values beside a large one
// do not disappear.
func sum(xs []float64) float64 {
	var total, lost float64
	for _, x := range xs {
		next := total + x
		if math.Abs(total) >= math.Abs(x) {
			lost += total - next + x
		} else {
			lost += x - next + total
		}
		total = next
	}
	if math.IsNaN(lost) || math.IsInf(total, 0) {
		return total
	}
	return total + lost
}

func fold(xs []float64, f func(a, b float64) float64) float64 {
	out := xs[0]
	for _, x := range xs[1:] {
		out = f(out, x)
	}
	return out
}

// overNumbers makes a function of all the numbers among its arguments.
func overNumbers(f func([]float64) float64) func(...any) (any, error) {
	return func(args ...any) (any, error) {
		xs, err := numbers(args)
		if err != nil {
			return nil, err
		}
		if len(xs) == 0 {
			return nil, errNoValue
		}
		return f(xs), nil
	}
}

// count tells how many values there are, of whatever kind.
func count(args ...any) (any, error) {
	n := 0
	for _, a := range args {
		switch a := a.(type) {
		case nil:
		case []any:
			inner, err := count(a...)
			if err != nil {
				return nil, err
			}
			n += int(inner.(float64))
		default:
			n++
		}
	}
	return float64(n), nil
}

func numbers(args []any) ([]float64, error) {
	var xs []float64
	for _, a := range args {
		if a == nil {
			continue
		}
		if list, ok := a.([]any); ok {
			inner, err := numbers(list)
			if err != nil {
				return nil, err
			}
			xs = append(xs, inner...)
			continue
		}
		x, err := toNumber(a)
		if err != nil {
			return nil, err
		}
		xs = append(xs, x)
	}
	return xs, nil
}

// toNumber takes a boolean as 0 or 1, so that sum counts those that are true.
func toNumber(a any) (float64, error) {
	switch a := a.(type) {
	case float64:
		return a, nil
	case bool:
		if a {
			return 1, nil
		}
		return 0, nil
	case nil:
		return 0, errNoValue
	}
	return 0, fmt.Errorf("%.40v is not a number", a)
}

func ofNumber(f func(float64) float64) func(...any) (any, error) {
	return func(args ...any) (any, error) {
		if len(args) != 1 {
			return nil, fmt.Errorf("it takes 1 value, not %d", len(args))
		}
		x, err := toNumber(args[0])
		if err != nil {
			return nil, err
		}
		return f(x), nil
	}
}

// round takes a value and, optionally, how many digits to keep.
func round(args ...any) (any, error) {
	if len(args) == 1 {
		args = append(args, 0.0)
	}
	x, digits, err := two(args)
	if err != nil {
		return nil, err
	}
	if digits != math.Trunc(digits) || math.Abs(digits) > 15 {
		return nil, fmt.Errorf("%v is not a number of digits", digits)
	}
	if digits < 0 {
		unit := math.Pow10(int(-digits))
		return math.Round(x/unit) * unit, nil
	}
	unit := math.Pow10(int(digits))
	if math.Abs(x)*unit >= 1<<53 {
		return x, nil // it has no such digits to round
	}
	return math.Round(x*unit) / unit, nil
}

// mod is the remainder of a division, with the sign of the dividend.
func mod(args ...any) (any, error) {
	x, y, err := two(args)
	if err != nil {
		return nil, err
	}
	return math.Mod(x, y), nil
}

func two(args []any) (x, y float64, err error) {
	if len(args) != 2 {
		return 0, 0, fmt.Errorf("it takes 2 values, not %d", len(args))
	}
	if x, err = toNumber(args[0]); err != nil {
		return 0, 0, err
	}
	y, err = toNumber(args[1])
	return x, y, err
}
