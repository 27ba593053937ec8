SELECT d.id AS deployment, d.secret, s.paused, l.epoch FROM deployment d, scheduler s, leader l
