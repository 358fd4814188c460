"""The course as a static site, to read without installing anything.

`lab_pages` shows the labs with outputs, `guides` the texts for instructors and students, `glossary` links its
terms, `sections` finds what can be searched, and `publish` writes them all into one folder.
"""
