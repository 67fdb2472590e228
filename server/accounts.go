package server

import (
	"crypto/sha1" // the mysql_native_password scheme
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql/mysql_db"
)

// ensureRoot creates root@localhost without a password when there are no accounts, and sets root's password if one is
// given. It reports whether an account was created or changed, which the caller persists.
func ensureRoot(accounts *mysql_db.MySQLDb, password string, remote bool) (created bool, changed bool) {
	ed := accounts.Editor()
	defer ed.Close()
	// Internal sessions (catalog.ContextGetter) act as this account, which nobody can log in to.
	accounts.AddLockedSuperUser(ed, "event_scheduler", "localhost", "")
	people := 0
	ed.VisitUsers(func(u *mysql_db.User) {
		if !u.IsRole && !u.Locked {
			people++
		}
	})
	if people == 0 {
		accounts.AddSuperUser(ed, "root", "localhost", "")
		created = true
	}
	if password == "" {
		return created, created
	}
	hash := nativePassword(password)
	for _, u := range ed.GetUsersByUsername("root") {
		u.AuthString, u.PasswordLastChanged = hash, time.Now().UTC()
		ed.PutUser(u)
	}
	if remote {
		accounts.AddSuperUser(ed, "root", "%", password)
	}
	return created, true
}

// nativePassword is the hash that mysql_native_password keeps: SHA1(SHA1(password)), in hexadecimal after a star.
func nativePassword(password string) string {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	return "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
}

// withoutPassword lists the accounts that can log in without a password, as 'user'@'host'.
func withoutPassword(accounts *mysql_db.MySQLDb) []string {
	rd := accounts.Reader()
	defer rd.Close()
	var open []string
	rd.VisitUsers(func(u *mysql_db.User) {
		if u.AuthString == "" && !u.Locked && !u.IsRole {
			open = append(open, fmt.Sprintf("'%s'@'%s'", u.User, u.Host))
		}
	})
	return open
}

// isLoopback tells whether only this machine can reach the address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// checkExposure refuses to listen beyond this machine while someone could log in without a password.
func checkExposure(address string, accounts *mysql_db.MySQLDb) error {
	if isLoopback(address) {
		return nil
	}
	open := withoutPassword(accounts)
	if len(open) == 0 {
		return nil
	}
	return fmt.Errorf("refusing to listen on %s: %s can log in without a password; start once with --password-file FILE, "+
		"or listen on 127.0.0.1 and run ALTER USER %s IDENTIFIED BY '…'", address, strings.Join(open, ", "), open[0])
}
