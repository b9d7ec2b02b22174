"""MediaPipe's own pose tracker on raw frames: run by the interpreter of `.venv-mediapipe`, not by pytest.

python reference_tracker.py WIDTH HEIGHT OUT.npz < frames of RGB bytes
"""

import sys

import mediapipe
import numpy as np


def main() -> None:
    width, height, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    size = width * height * 3
    points = []
    pose = mediapipe.solutions.pose.Pose(model_complexity=1, smooth_landmarks=False)
    while len(raw := sys.stdin.buffer.read(size)) == size:
        result = pose.process(np.frombuffer(raw, np.uint8).reshape(height, width, 3))
        if result.pose_landmarks is None:
            points.append(np.full((33, 7), np.nan))
            continue
        points.append(
            [
                (p.x * width, p.y * height, p.z * width, p.visibility, w.x, w.y, w.z)
                for p, w in zip(
                    result.pose_landmarks.landmark, result.pose_world_landmarks.landmark, strict=True
                )
            ]
        )
    np.savez(out, points=np.asarray(points, np.float32))


if __name__ == "__main__":
    main()
