#!/usr/bin/env bash
# Gradescope starts this as root for each submission. Whenever the container ends, what stands in results.json
# then counts: first this sentence, later the verdicts so far.
cd /autograder
umask 077
mkdir -p results
chmod 700 source results
cat > results/results.json <<'END'
{"score": 0, "tests": [], "output_format": "text", "stdout_visibility": "hidden", "output": "This submission has not been graded: the autograder was stopped at its beginning, for a reason that is not yours. Please tell your instructor, who finds the reason in the autograder's output."}
END
# Gradescope's own limit is 10 minutes, and then verdicts would not count.
PYTHONPATH=/autograder/source/course PYTHONUTF8=1 timeout --kill-after=10 570 \
    /opt/convnet-labs/bin/python -P -m course_utils.grading.gradescope
