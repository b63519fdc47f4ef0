"""Charts: pure functions from facts to marks on a picture without words, and the words and figures beside it.

The picture is stretched to the width there is, its words are text of the page: labels never overlap, whatever the
width, and stay readable on paper and to a screen reader. Every chart carries its title, its alternative text and the
table it was drawn from. Marks differ in darkness and form, not in colour alone.
"""
