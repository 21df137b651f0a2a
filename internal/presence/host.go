package presence

import "os"

// Host identifies this machine for as long as a process can live: its host
// name and, where the system names its boots, the boot. So a home folder that
// two machines share over the network, or a machine that was started anew,
// proves nothing. "" means that the system would not tell. A host name that
// changes makes other processes unknown, never gone.
func Host() string {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	return identity(name, bootID())
}

func identity(name, boot string) string {
	if boot == "" {
		return name
	}
	return name + "/" + boot
}
