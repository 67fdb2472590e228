package functions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// setting is one key of the options argument with its value as text. items is set when the value came as a JSON array, whose
// members need no splitting.
type setting struct {
	key   string
	text  string
	items []string
}

// list gives the members of a value that is a list.
func (s setting) list() ([]string, error) {
	if s.items != nil {
		return s.items, nil
	}
	parts, err := splitOutside(s.text, ',')
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 && strings.TrimSpace(parts[0]) == "" {
		return nil, nil
	}
	for i, p := range parts {
		if parts[i] = unquote(p); parts[i] == "" {
			return nil, fmt.Errorf("the list '%s' has an empty member", s.text)
		}
	}
	return parts, nil
}

// errOptionTwice is wrapped by parseOptions with the key that is repeated.
var errOptionTwice = errors.New("option given twice")

// maxOptionsText bounds the options argument, so that a mistake (a whole document passed) fails at once.
const maxOptionsText = 64 << 10

// parseOptions understands the options argument: nil, 'key=value; key=value', JSON text or a decoded JSON object. Keys come
// back trimmed and in lower case, in the order written (sorted for a decoded object), each once.
func parseOptions(v Value) ([]setting, error) {
	var out []setting
	var err error
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		if len(v) > maxOptionsText {
			return nil, fmt.Errorf("the text has %d bytes; at most %d are read", len(v), maxOptionsText)
		}
		if strings.HasPrefix(strings.TrimSpace(v), "{") {
			out, err = parseJSONOptions(v)
		} else {
			out, err = parseOptionText(v)
		}
	case map[string]any:
		out, err = objectOptions(v)
	default:
		return nil, fmt.Errorf("it is %s", describeValue(v))
	}
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(out))
	for _, s := range out {
		if seen[s.key] {
			return nil, fmt.Errorf("%w: '%s'", errOptionTwice, s.key)
		}
		seen[s.key] = true
	}
	return out, nil
}

func parseOptionText(text string) ([]setting, error) {
	parts, err := splitOutside(text, ';')
	if err != nil {
		return nil, err
	}
	var out []setting
	for _, part := range parts {
		if strings.TrimSpace(part) == "" {
			continue
		}
		key, value, found := strings.Cut(part, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if !found {
			return nil, fmt.Errorf("'%s' has no '='", strings.TrimSpace(part))
		}
		if key == "" {
			return nil, fmt.Errorf("'%s' has no key before its '='", strings.TrimSpace(part))
		}
		out = append(out, setting{key: key, text: strings.TrimSpace(value)})
	}
	return out, nil
}

// splitOutside cuts text at sep where it stands outside quotes ('…', "…", `…`) and brackets.
func splitOutside(text string, sep byte) ([]string, error) {
	var parts []string
	start, depth := 0, 0
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '`' || c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			if depth--; depth < 0 {
				return nil, fmt.Errorf("'%s' closes a bracket that was not opened", text)
			}
		case c == sep && depth == 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("'%s' has an opening %c without its end", text, quote)
	}
	if depth != 0 {
		return nil, fmt.Errorf("'%s' has an opening bracket without its end", text)
	}
	return append(parts, text[start:]), nil
}

// unquote trims blanks and one pair of quotes.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == s[len(s)-1] && strings.IndexByte("'\"`", s[0]) >= 0 {
		return s[1 : len(s)-1]
	}
	return s
}

// parseJSONOptions reads the object token by token, since decoding into a map would hide a repeated key.
func parseJSONOptions(text string) ([]setting, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	}
	var out []setting
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		key, isKey := token.(string)
		if !isKey {
			return nil, fmt.Errorf("the JSON has %v where a key should be", token)
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return nil, notJSON(err)
		}
		s, use, err := jsonSetting(key, value)
		if err != nil {
			return nil, err
		}
		if use {
			out = append(out, s)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more text behind the JSON object")
	}
	return out, nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}
	return fmt.Errorf("not valid JSON: %w", err)
}

func objectOptions(object map[string]any) ([]setting, error) {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var out []setting
	for _, k := range keys {
		s, use, err := jsonSetting(k, object[k])
		if err != nil {
			return nil, err
		}
		if use {
			out = append(out, s)
		}
	}
	return out, nil
}

// jsonSetting turns one member of an object into a setting. null means the default: not used.
func jsonSetting(key string, value any) (s setting, use bool, err error) {
	s.key = strings.ToLower(strings.TrimSpace(key))
	if s.key == "" {
		return s, false, errors.New("the JSON object has an empty key")
	}
	if value == nil {
		return s, false, nil
	}
	if list, isList := value.([]any); isList {
		s.items = make([]string, 0, len(list))
		for _, v := range list {
			text, err := scalarText(v)
			if err != nil {
				return s, false, fmt.Errorf("option '%s': %w", s.key, err)
			}
			s.items = append(s.items, text)
		}
		s.text = strings.Join(s.items, ",")
		return s, true, nil
	}
	if s.text, err = scalarText(value); err != nil {
		return s, false, fmt.Errorf("option '%s': %w", s.key, err)
	}
	return s, true, nil
}

func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return v.String(), nil
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.999999"), nil
	}
	if n, isInt := wholeNumber(v); isInt {
		return strconv.FormatInt(n, 10), nil
	}
	if f, isFloat := number(v); isFloat {
		return strconv.FormatFloat(f, 'g', -1, 64), nil
	}
	if v == nil {
		return "", errors.New("a list holds null")
	}
	var b bytes.Buffer
	if json.NewEncoder(&b).Encode(v) == nil {
		return "", fmt.Errorf("%s is neither a text, a number, true, false nor a list of those", strings.TrimSpace(b.String()))
	}
	return "", fmt.Errorf("%T is neither a text, a number, true, false nor a list of those", v)
}

// wholeNumber accepts every Go integer, and floats without a fraction.
func wholeNumber(v Value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint64:
		if v > math.MaxInt64 {
			return math.MaxInt64, true
		}
		return int64(v), true
	case uint:
		return wholeNumber(uint64(v))
	case uint32:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint8:
		return int64(v), true
	}
	if f, ok := number(v); ok && f == math.Trunc(f) && math.Abs(f) < 1<<62 {
		return int64(f), true
	}
	return 0, false
}

func number(v Value) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// describeValue says what an argument is, for messages.
func describeValue(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case Unbound:
		return "a placeholder"
	case string:
		if len(v) > 60 {
			v = v[:60] + "…"
		}
		return "the text '" + v + "'"
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return "the time " + v.UTC().Format("2006-01-02 15:04:05")
	case map[string]any:
		return "a JSON object"
	case []any:
		return "a JSON array"
	}
	if n, ok := wholeNumber(v); ok {
		return "the number " + strconv.FormatInt(n, 10)
	}
	if f, ok := number(v); ok {
		return "the number " + strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprintf("%T", v)
}
