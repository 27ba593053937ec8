SELECT d.id, d.secret, s.paused, l.epoch FROM deployment d, scheduler s, leader l
