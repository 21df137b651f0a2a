package habit

import "strings"

// words splits a line into simple commands and those into words, as a shell
// does: quotes are taken away, a comment ends the line, and ; & | ( ) and line
// breaks part commands. An open quote ends with the line.
func words(text string) [][]string {
	w := splitter{}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case w.quote != 0:
			i = w.quoted(text, i)
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] != '\n' {
				w.add(text[i])
			}
		case c == '"' || c == '\'':
			w.quote, w.open = c, true
		case c == '#' && !w.open:
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				return w.done()
			}
			i += end - 1
		case c == ' ' || c == '\t':
			w.endWord()
		case strings.IndexByte(";&|()\n", c) >= 0:
			w.endCommand()
		default:
			w.add(c)
		}
	}
	return w.done()
}

type splitter struct {
	all   [][]string
	words []string
	word  strings.Builder
	open  bool // a word has begun, maybe an empty one
	quote byte // the open quote, or 0
}

// quoted takes the byte at i inside quotes, and returns the index of the last
// byte that it took.
func (w *splitter) quoted(text string, i int) int {
	switch c := text[i]; {
	case c == w.quote:
		w.quote = 0
	case c == '\\' && w.quote == '"' && i+1 < len(text) && strings.IndexByte(`"\$`+"`", text[i+1]) >= 0:
		i++
		w.add(text[i])
	default:
		w.add(c)
	}
	return i
}

func (w *splitter) add(c byte) {
	w.word.WriteByte(c)
	w.open = true
}

func (w *splitter) endWord() {
	if w.open {
		w.words = append(w.words, w.word.String())
	}
	w.word.Reset()
	w.open = false
}

func (w *splitter) endCommand() {
	w.endWord()
	if len(w.words) > 0 {
		w.all = append(w.all, w.words)
	}
	w.words = nil
}

func (w *splitter) done() [][]string {
	w.endCommand()
	return w.all
}
