"""What platforms and people hand over, as trees of names, and the students that a reader would find in them.

Each tree was written down from the platform's documentation, or from published programs that read exports,
before the code that takes them: each notebook with the student whose it is, and what else lies beside it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Export:
    """One tree: its layout's name, the notebooks with their students, and the other files with their text."""

    layout: str
    students: dict[str, str]
    others: dict[str, str] = field(default_factory=dict)


JUNK = {
    "__MACOSX/._01_conv_layer.ipynb": "{}",
    ".DS_Store": "",
    "Thumbs.db": "",
    ".ipynb_checkpoints/01_conv_layer-checkpoint.ipynb": "{}",
}

GRADESCOPE_METADATA = """\
---
submission_9001:
  :submitters:
  - :name: Anna Müller
    :sid: '3190001'
    :email: anna.mueller@uni.example
  :created_at: 2026-11-01 10:22:33.365935000 Z
  :score: 0.0
  :status: processed
  :results:
    tests:
    - name: not a student
      output: "submission_9002:"
  :history:
  - :id: 8990
    :created_at: 2026-10-30 08:00:00.000000000 Z
    :score: 0.0
submission_9002:
  :submitters:
  - :name: Wei Tan
    :sid: '3190002'
    :email: wei.tan@uni.example
  :created_at: 2026-11-01 11:00:00.000000000 Z
  :history: []
submission_9003:
  :submitters:
  - :name: "Se\\u00E1n O'Brien"
    :sid:
    :email: sean@uni.example
  :created_at: 2026-11-01 11:05:00.000000000 Z
"""

BLACKBOARD_TEXT = """\
Name: Jane Doe (jdoe)
Assignment: Lab 1
Date Submitted: Sunday, November 1, 2026 10:22:33 AM CET
Current Grade: Not Graded

Submission Field:
There is no student submission text data for this assignment.

Files:
\tOriginal filename: lab.ipynb
\tFilename: Lab 1_jdoe_attempt_2026-11-01-10-22-33_lab.ipynb
"""

EXPORTS = {
    "Moodle, folders": Export(
        "moodle",
        {
            "Anna Müller_12345_assignsubmission_file_/01_conv_layer.ipynb": "Anna Müller",
            "Seán O'Brien_12346_assignsubmission_file_/lab1 (1).ipynb": "Seán O'Brien",
            "Gil Sáez María_12347_assignsubmission_file_/Lab 01/01_conv_layer.ipynb": "Gil Sáez María",
            "王 小明_12348_assignsubmission_file_/01_conv_layer.ipynb": "王 小明",
            "Kim Min_12349_assignsubmission_file_/01_conv_layer.ipynb": "Kim Min (12349)",
            "Kim Min_12350_assignsubmission_file_/01_conv_layer.ipynb": "Kim Min (12350)",
        },
        {"Tan Wei_12351_assignsubmission_onlinetext_/onlinetext.html": "<p>see my file</p>"},
    ),
    "Moodle, one folder of files": Export(
        "moodle",
        {
            "Anna Müller_12345_assignsubmission_file_01_conv_layer.ipynb": "Anna Müller",
            "Wei Tan_12346_assignsubmission_file_lab1.ipynb": "Wei Tan",
        },
    ),
    "Moodle, anonymous": Export(
        "moodle",
        {
            "Participant_501_assignsubmission_file_/01_conv_layer.ipynb": "Participant (501)",
            "Participant_502_assignsubmission_file_/01_conv_layer.ipynb": "Participant (502)",
        },
    ),
    "Canvas": Export(
        "canvas",
        {
            "tanwei_12345_67890_01_conv_layer.ipynb": "tanwei",
            "mulleranna_LATE_12346_67891_01_conv_layer-1.ipynb": "mulleranna",
            "kimmin_12347_67892_01_conv_layer.ipynb": "kimmin (12347)",
            "kimmin_12348_67893_lab1 (1).ipynb": "kimmin (12348)",
            "garcialopezmaria_12349_67894_lab_1_final.ipynb": "garcialopezmaria",
            "obrien-smithsean_12350_67895_01_conv_layer-2.ipynb": "obrien-smithsean",
        },
    ),
    "Blackboard": Export(
        "blackboard",
        {
            "Lab 1_jdoe_attempt_2026-11-01-10-22-33_lab.ipynb": "jdoe",
            "Lab 1_s1234567_attempt_2026-11-01-09-00-00_01_conv_layer.ipynb": "s1234567",
            "Lab 1_an_li_attempt_2026-11-01-09-30-00_attempt_2.ipynb": "an_li",
        },
        {"Lab 1_jdoe_attempt_2026-11-01-10-22-33.txt": BLACKBOARD_TEXT},
    ),
    "Blackboard, one student": Export(
        "blackboard",
        {"Lab1_jdoe_attempt_2026-11-01-10-22-33_lab.ipynb": "jdoe"},
        {"Lab1_jdoe_attempt_2026-11-01-10-22-33.txt": BLACKBOARD_TEXT},
    ),
    "Gradescope": Export(
        "gradescope",
        {
            "assignment_4711_export/submission_9001/01_conv_layer.ipynb": "Anna Müller",
            "assignment_4711_export/submission_9002/lab1.ipynb": "Wei Tan",
            "assignment_4711_export/submission_9003/01_conv_layer.ipynb": "Seán O'Brien",
        },
        {"assignment_4711_export/submission_metadata.yml": GRADESCOPE_METADATA},
    ),
    "Brightspace": Export(
        "brightspace",
        {
            "12345-678901 - Anna Müller - Nov 1, 2026 1022 AM/01_conv_layer.ipynb": "Anna Müller",
            "12346-678901 - Wei Tan - Nov 1, 2026 207 PM/lab1.ipynb": "Wei Tan",
            "12347-678901 - Seán O'Brien - Nov 2, 2026 1200 AM/lab 1.ipynb": "Seán O'Brien",
        },
        {"index.html": "<html></html>"},
    ),
    "GitHub Classroom": Export(
        "github",
        {
            "lab-01-jdoe/labs/01_conv_layer.ipynb": "jdoe",
            "lab-01-octo-cat/labs/01_conv_layer.ipynb": "octo-cat",
            "lab-01-tan42/labs/01_conv_layer.ipynb": "tan42",
        },
        {"lab-01-jdoe/README.md": "# Lab 01"},
    ),
    "GitHub Classroom, one prefix of names": Export(
        "github",
        {
            "lab-01-submissions/lab-01-tan-wei/01_conv_layer.ipynb": "tan-wei",
            "lab-01-submissions/lab-01-tan-hw/01_conv_layer.ipynb": "tan-hw",
        },
    ),
    "nbgrader": Export(
        "nbgrader",
        {
            "submitted/jdoe/lab01/01_conv_layer.ipynb": "jdoe",
            "submitted/tan/lab01/01_conv_layer.ipynb": "tan",
            "submitted/3190001/lab01/01_conv_layer.ipynb": "3190001",
        },
        {"submitted/jdoe/lab01/timestamp.txt": "2026-11-01 10:22:33 UTC"},
    ),
    "nbgrader, the exchange": Export(
        "exchange",
        {
            "inbound/jdoe+lab01+2026-11-01 10:22:33.123456 UTC+c2VjcmV0/01_conv_layer.ipynb": "jdoe",
            "inbound/tan+lab01+2026-11-01 11:22:33.123456 UTC/01_conv_layer.ipynb": "tan",
        },
    ),
    "Google Classroom": Export(
        "google",
        {
            "Lab 01/Anna Müller - 01_conv_layer.ipynb": "Anna Müller",
            "Lab 01/Wei Tan - 01_conv_layer.ipynb": "Wei Tan",
            "Lab 01/María José García-López - 01_conv_layer.ipynb": "María José García-López",
        },
    ),
    "a folder for each student, numbered": Export(
        "names", {f"{number:02d}/01_conv_layer.ipynb": f"{number:02d}" for number in range(1, 6)}
    ),
    "a folder for each student, 95 to 104": Export(
        "names", {f"{number}/01_conv_layer.ipynb": str(number) for number in range(95, 105)}
    ),
    "a folder for each matriculation number": Export(
        "names",
        {
            "3190001/01_conv_layer.ipynb": "3190001",
            "3190002/lab1.ipynb": "3190002",
            "3190003/Abgabe/01_conv_layer.ipynb": "3190003",
        },
    ),
    "a folder for each student, similar names": Export(
        "names",
        {
            "Tan/01_conv_layer.ipynb": "Tan",
            "Tan HW/01_conv_layer.ipynb": "Tan HW",
            "Müller, Anna/01_conv_layer.ipynb": "Müller, Anna",
            "李 雷/01_conv_layer.ipynb": "李 雷",
            "O'Brien/01_conv_layer.ipynb": "O'Brien",
        },
    ),
    "a folder for each student, in one folder": Export(
        "names",
        {
            "Lab 01/Tan/01_conv_layer.ipynb": "Tan",
            "Lab 01/Lee/lab/01_conv_layer.ipynb": "Lee",
            "Lab 01/Kim/01_conv_layer.ipynb": "Kim",
        },
    ),
    "files with names": Export(
        "names",
        {
            "Tan.ipynb": "Tan",
            "Tan HW.ipynb": "Tan HW",
            "Müller, Anna.ipynb": "Müller, Anna",
            "王小明.ipynb": "王小明",
        },
    ),
    "files with a lab's name and a student's": Export(
        "names",
        {
            "lab1_tan.ipynb": "tan",
            "lab1_lee.ipynb": "lee",
            "01_conv_layer_kim.ipynb": "kim",
            "3190001_01_conv_layer.ipynb": "3190001",
        },
    ),
}
